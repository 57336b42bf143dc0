"""Writes exchanges to files, one for each request and one for each response.

Dumps are for debugging only: a file that cannot be written causes one line on stderr.
"""

import os
import sys
from typing import Any

from code_responses_api_proxy.errors import StartError
from code_responses_api_proxy.fields import parse_fields, trimmed

TYPE_CHECKING = False  # type checkers treat it as true
if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

RESPONSE_LIMIT = 64 * 1024 * 1024
"""Bytes of a response to keep; the rest is passed on but not written."""


class DumpFolder:
    """The directory for the files, created if needed.

    Raises:
        StartError: it cannot be created.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._sequence = 0
        self._writer: ThreadPoolExecutor | None = None
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib costs 5 ms at start
        except OSError as error:
            raise StartError(f"--dump-dir {path} cannot be used: {error.strerror}") from error

    def record(self, url: str, head: bytes) -> "Recording":
        """Start recording a request, given its head as sent by the client."""
        import time

        self._sequence += 1
        return Recording(self, f"{self._sequence:06d}-{time.time_ns() // 1_000_000}", url, head)

    def write(self, recording: "Recording") -> None:
        """Write the files of one exchange in a separate thread."""
        if self._writer is None:
            from concurrent.futures import ThreadPoolExecutor

            self._writer = ThreadPoolExecutor(1)
        self._writer.submit(self._write, recording)

    def close(self) -> None:
        """Wait until everything is written."""
        if self._writer is not None:
            self._writer.shutdown()

    def _write(self, recording: "Recording") -> None:
        for kind, content in (("request", recording.request()), ("response", recording.response())):
            path = f"{self.path}/{recording.prefix}-{kind}.json"
            try:
                _write_new(path, content)
            except OSError as error:
                sys.stderr.write(f"responses-api-proxy: {path} is not written: {error.strerror}\n")
            except RecursionError:
                sys.stderr.write(f"responses-api-proxy: {path} is not written: its JSON is too deep\n")


class Recording:
    """A request and its response, recorded as they pass."""

    def __init__(self, folder: DumpFolder, prefix: str, url: str, head: bytes) -> None:
        self.prefix = prefix
        self.failure: str | None = None
        """Why the response is missing or incomplete."""
        self._folder = folder
        self._url = url
        self._request_head = head
        self._request_body = bytearray()
        self._response_head = b""
        self._response_body = bytearray()
        self._cut = False

    def request_body(self, data: bytes) -> None:
        """Record a piece of the request's body."""
        self._request_body += data

    def response_head(self, head: bytes) -> None:
        """Record the head of the upstream's response."""
        self._response_head = head

    def response_body(self, data: bytes) -> None:
        """Record a piece of the response's body."""
        room = RESPONSE_LIMIT - len(self._response_body)
        self._response_body += data[:room]
        self._cut = self._cut or len(data) > room

    def save(self) -> None:
        """Write what was recorded."""
        self._folder.write(self)

    def request(self) -> dict[str, Any]:
        """The content of the request's file."""
        return {
            "method": "POST",
            "url": self._url,
            "headers": _headers(self._request_head),
            "body": _body(self._request_body),
        }

    def response(self) -> dict[str, Any]:
        """The content of the response's file."""
        content: dict[str, Any] = {
            "status": int(self._response_head[9:12] or 0) or None,
            "headers": _headers(self._response_head),
            "body": _body(self._response_body),
        }
        if self._cut:
            content["truncated"] = True
        if self.failure is not None:
            content["failure"] = self.failure
        return content


def _headers(head: bytes) -> list[dict[str, str]]:
    fields = parse_fields(head[:-2].partition(b"\r\n")[2]) or []
    return [
        {
            "name": name.decode("latin-1"),
            "value": "[REDACTED]" if _is_secret(name.lower()) else trimmed(value).decode("latin-1"),
        }
        for _, name, value in fields
    ]


def _is_secret(name: bytes) -> bool:
    return name in {b"authorization", b"proxy-authorization", b"api-key", b"x-api-key"} or b"cookie" in name


def _body(data: bytearray) -> Any:
    import json

    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


def _write_new(path: str, content: dict[str, Any]) -> None:
    import json

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=True, indent=2)
    except (OSError, RecursionError):
        os.unlink(path)  # noqa: PTH108 - as above
        raise
