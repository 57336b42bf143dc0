"""Ends a server if this process dies without closing it, even by `kill -9`.

A shell waits on a pipe whose other end only this process holds. If the pipe closes without an
all-clear, the shell gives the server, whose stdin has closed at the same moment, two seconds and
then kills its process group and every process with the server's mark in its environment.
"""

import os
import subprocess
from contextlib import suppress

import anyio

_SCRIPT = """
read -r word && exit
sleep 2
kill -s KILL -- "-$1"
for attempt in 1 2 3; do  # a process can start another one meanwhile
    grep -ls "$2" /proc/[0-9]*/environ | tr -dc '0-9\\n' | xargs kill -s KILL
done
"""
_GOODBYE_SECONDS = 1.0


class ParentDeathGuard:
    """Watches one server from a separate process (POSIX).

    Args:
        group: its process group.
        mark: see `Launched`. Without `/proc`, only the group is killed.
    """

    def __init__(self, group: int, mark: str) -> None:
        read, self._pipe = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "mcp-server-guard", str(group), mark],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(read)

    async def release(self) -> None:
        """Stop watching, and wait for the guard process to exit."""
        with suppress(BrokenPipeError):
            os.write(self._pipe, b"closed\n")
        os.close(self._pipe)
        try:
            with anyio.move_on_after(_GOODBYE_SECONDS, shield=True):
                while self._shell.poll() is None:  # noqa: ASYNC110 - asyncio reports only the end of its own processes
                    await anyio.sleep(0.002)
        finally:
            if self._shell.poll() is None:
                self._shell.kill()
                self._shell.wait()
