"""`code` on a file system without locks, as some network file systems are."""

import errno
import fcntl


def no_locks(_descriptor: object, _operation: int) -> None:
    """Fail like such a file system."""
    raise OSError(errno.ENOLCK, "No locks available")


if __name__ == "__main__":
    fcntl.flock = no_locks
    from code_cli.main import main

    main()
