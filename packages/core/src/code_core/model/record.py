"""Records what a model streamed, as a scenario that the replay model can play.

One line of JSON per response is appended when the response ends, however it
ends: a broken stream is replayed as a broken stream. Values of environment
variables that look like secrets, and anything shaped like an API key, are
replaced before they reach the file.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from code_core.errors import ConfigError

HEADER = b'{"replay":1}\n'
_SECRET_NAME = re.compile(rb"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)
_SECRET_SHAPE = re.compile(rb"\b(?:sk|pk|rk|ghp|gho|xox[bp])[-_][A-Za-z0-9_-]{16,512}")
_SHORTEST_SECRET = 8
REDACTED = b"[REDACTED]"


class Recorder:
    """Appends responses to a scenario file, made with mode 0600.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: Path, environ: Mapping[bytes, bytes] = os.environb) -> None:
        self._path = path
        self._events: list[bytes] = []
        self._secrets = sorted(
            (
                value
                for name, value in environ.items()
                if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
            ),
            key=len,
            reverse=True,
        )
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"CODE_RECORD: {path} cannot be written: {error.strerror}") from error
        if os.fstat(self._file).st_size == 0:
            os.write(self._file, HEADER)

    def event(self, data: bytes) -> None:
        """Add an event to the open exchange; what is not one line of JSON is left out."""
        if data.startswith(b"{") and b"\n" not in data:
            self._events.append(self._redact(data))

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """One response; its events are written when the context ends."""
        self._events.clear()
        try:
            yield
        finally:
            line = b'{"stream":[' + b",".join(self._events) + b"]}\n"
            self._events.clear()
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _redact(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, REDACTED)
        return _SECRET_SHAPE.sub(REDACTED, data)
