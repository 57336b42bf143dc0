"""`code` in a process that kills itself while writing a session's file.

`python killed_engine.py FATAL PART ARGUMENT…`: the line with the number FATAL (from 1) is
written up to PART of it, then the process is gone, as if by the kernel.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

fatal, part = int(sys.argv[1]), float(sys.argv[2])
del sys.argv[1:3]
write = os.write
lines = count(1)


def dying(descriptor: int, data: bytes) -> int:
    """Write, or be killed."""
    if "/rollout-" in str(Path(f"/proc/self/fd/{descriptor}").readlink()) and next(lines) == fatal:
        write(descriptor, data[: int(len(data) * part)])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(descriptor, data)


if __name__ == "__main__":
    os.write = dying  # type: ignore[assignment] # with the part of its signature that is used
    from code_cli.main import main

    main()
