"""Records a model's streamed responses as a scenario for the replay model.

One line of JSON per response is appended when the response ends, however it ends: a broken
stream is replayed as a broken stream. Values of environment variables that look like secrets,
and anything shaped like an API key, are redacted before they reach the file; deltas that
contain one together are left out.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from code_core.errors import ConfigError, RequestRefused
from code_core.frozen import frozen
from code_core.protocol.policies import WireApi
from code_core.safety.credentials import secret_texts
from code_core.wire.response_reader import event_objects
from code_core.wire.sse import SseEvent
from code_core.wire.streamed_texts import Source, streamed_texts

HEADER = b'{"replay":1}\n'
# In JSON, the letter of an escape sequence may precede it.
_SECRET_SHAPE = re.compile(
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4}))(?:sk|pk|rk|gh[oprsu]|xox[abeprs])[-_][A-Za-z0-9_-]{16,}"
)
_SHORTEST_SECRET = 8
REDACTED = b"[REDACTED]"


@frozen
class _Event:
    """A redacted event; `texts` are its streamed text pieces, as JSON."""

    line: bytes
    texts: tuple[tuple[Source, bytes], ...] = ()


class Recorder:
    """Appends responses to a scenario file, created with mode 0600.

    Args:
        path: the file.
        environ: its secrets are redacted.
        wire: the API of the responses.
        key: the provider's key, which is redacted whatever its variable is called.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        environ: Mapping[bytes, bytes] = os.environb,
        wire: WireApi = "responses",
        key: bytes | None = None,
    ) -> None:
        self._path = path
        self._wire = wire
        self._events: list[_Event] = []
        secrets = {
            os.fsencode(secret)
            for name, value in environ.items()
            for secret in secret_texts(os.fsdecode(name), os.fsdecode(value))
            if len(secret) >= _SHORTEST_SECRET
        }
        if key:
            secrets.add(key)
        self._secrets = sorted((form for secret in secrets for form in _forms(secret)), key=len, reverse=True)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            raise ConfigError(f"CODE_RECORD: {path} cannot be written: {error}") from error
        if os.fstat(self._file).st_size == 0:
            try:
                self._write(HEADER)
            except RequestRefused as error:
                self.close()
                raise ConfigError(str(error)) from error

    def event(self, event: SseEvent) -> None:
        """Add an event to the open exchange; anything but a JSON object is ignored."""
        try:
            objects = event_objects(event)
        except ValueError:
            return
        for value in objects:
            self._events.append(self._redacted(value))

    def _redacted(self, value: dict[str, Any]) -> _Event:
        line = self._redact(to_json(value))
        texts = streamed_texts(value)
        return _Event(line, tuple((source, self._redact(to_json(text)[1:-1])) for source, text in texts))

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Record one response, which is written when the context ends.

        Raises:
            RequestRefused: the file cannot be written, for example because the disk is full.
        """
        try:
            yield
        finally:
            line = (
                b'{"wire":"%s","stream":[' % self._wire.encode()
                + b",".join(self._without_split_secrets())
                + b"]}\n"
            )
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
        """The events without deltas that together spell a secret."""
        texts: defaultdict[Source, list[bytes]] = defaultdict(list)
        for event in self._events:
            for source, text in event.texts:
                texts[source].append(text)
        joined = {source: b"".join(parts) for source, parts in texts.items()}
        secret = {source for source, text in joined.items() if self._redact(text) != text}
        return [
            event.line for event in self._events if secret.isdisjoint(source for source, _ in event.texts)
        ]

    def _redact(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, REDACTED)
        return _SECRET_SHAPE.sub(REDACTED, data)


def _forms(secret: bytes) -> set[bytes]:
    """`secret` verbatim, as JSON, and as JSON within JSON, as in the arguments of a call."""
    forms = {secret.decode("utf-8", "replace")}  # decoded like provider output
    for _ in range(2):
        forms |= {json.dumps(form, ensure_ascii=escape)[1:-1] for form in forms for escape in (False, True)}
    return {form.encode() for form in forms}
