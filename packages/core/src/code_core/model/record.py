"""Records what a model streamed, as a scenario that the replay model can play.

One line of JSON per response is appended when the response ends, however it
ends: a broken stream is replayed as a broken stream. Values of environment
variables that look like secrets, and anything shaped like an API key, are
replaced before they reach the file; deltas that hold one together are left out.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from code_core.errors import ConfigError, RequestRefused

HEADER = b'{"replay":1}\n'
_SECRET_NAME = re.compile(rb"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)
# In JSON, the letter of an escape may stand before it.
_SECRET_SHAPE = re.compile(
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4}))(?:sk|pk|rk|ghp|gho|xox[bp])[-_][A-Za-z0-9_-]{16,512}"
)
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
                form
                for name, value in environ.items()
                if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
                for form in _forms(value)
            ),
            key=len,
            reverse=True,
        )
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            raise ConfigError(f"CODE_RECORD: {path} cannot be written: {error}") from error
        if os.fstat(self._file).st_size == 0:
            self._write(HEADER)

    def event(self, data: bytes) -> None:
        """Add an event to the open exchange; what is not one line of JSON is left out."""
        if data.startswith(b"{") and b"\n" not in data:
            self._events.append(self._redact(data))

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """One response; its events are written when the context ends.

        Raises:
            RequestRefused: the file cannot be written; the disk is full, for one.
        """
        self._events.clear()
        try:
            yield
        finally:
            line = b'{"stream":[' + b",".join(self._without_split_secrets()) + b"]}\n"
            self._events.clear()
            self._write(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as error:
            raise RequestRefused(f"CODE_RECORD: {self._path} cannot be written: {error.strerror}") from error

    def _without_split_secrets(self) -> list[bytes]:
        """The events, less the deltas of a kind that together spell a secret."""
        texts: defaultdict[str, str] = defaultdict(str)
        kinds: list[str | None] = []
        for event in self._events:
            kind, delta = _delta(event)
            kinds.append(kind)
            texts[kind or ""] += delta
        secret = {kind for kind, text in texts.items() if self._redact(quoted := _quoted(text)) != quoted}
        return [event for kind, event in zip(kinds, self._events, strict=True) if kind not in secret]

    def _redact(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, REDACTED)
        return _SECRET_SHAPE.sub(REDACTED, data)


def _forms(secret: bytes) -> set[bytes]:
    """`secret` as it is, and as JSON spells it."""
    text = secret.decode("utf-8", "replace")
    return {secret, _quoted(text), json.dumps(text)[1:-1].encode("ascii")}


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")


def _delta(event: bytes) -> tuple[str | None, str]:
    """The type and the text of an event that streams a piece of a text."""
    if b'"delta"' not in event:
        return None, ""
    try:
        fields = json.loads(event)
    except ValueError:
        return None, ""
    match fields:
        case {"type": str(kind), "delta": str(text)}:
            return kind, text
        case _:
            return None, ""
