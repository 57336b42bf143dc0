"""`code` in a pseudo-terminal."""

import fcntl
import os
import pty
import select
import struct
import termios
import time

from support.command import CODE, Workspace


class Terminal:
    """`code` in a pseudo-terminal."""

    def __init__(self, workspace: Workspace, *arguments: str, columns: int = 0) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.chdir(workspace.directory)
            os.execve(CODE, [CODE, *arguments], {**workspace.environment, "TERM": "xterm"})  # noqa: S606
        self.screen = ""

    def until(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.screen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come: {self.screen!r}"
            self.screen += os.read(self.fd, 65536).decode()

    def until_again(self, text: str) -> None:
        """Wait for another occurrence of `text`."""
        self.screen = ""
        self.until(text)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def close(self) -> None:
        self.type("\x04")
        assert self.wait() == 0

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)
