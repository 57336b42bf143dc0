"""Ends a server when this process dies without having closed it, `kill -9` included.

A shell waits for the end of a pipe of which only this process holds the other side.
When it comes without the word that all is well, the shell gives the server, whose
stdin has ended at the same moment, two seconds, and then kills its process group.
"""

import os
import subprocess
from contextlib import suppress

import anyio

_SCRIPT = 'read -r word || { sleep 2; kill -s KILL -- "-$1"; }'
_GOODBYE_SECONDS = 1.0


class ParentDeathGuard:
    """Watches over one process group from a process of its own (POSIX)."""

    def __init__(self, group: int) -> None:
        read, self._pipe = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "mcp-server-guard", str(group)],
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
        """Stop watching; the guard's own process is gone afterwards."""
        with suppress(BrokenPipeError):
            os.write(self._pipe, b"closed\n")
        os.close(self._pipe)
        try:
            with anyio.move_on_after(_GOODBYE_SECONDS, shield=True):
                while self._shell.poll() is None:  # noqa: ASYNC110 - nothing signals the end of a process that asyncio did not start
                    await anyio.sleep(0.002)
        finally:
            if self._shell.poll() is None:
                self._shell.kill()
                self._shell.wait()
