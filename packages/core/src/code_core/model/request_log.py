"""Logs one line per request to a model, with sizes and times but no headers, query or body."""

import logging
import time
from urllib.parse import urlsplit

_log = logging.getLogger("code_core")


class RequestLog:
    """Follows one request.

    Args:
        url: the request's URL.
        ordinal: its number in the conversation.
        sent: the size of its body in bytes.
    """

    def __init__(self, url: str, ordinal: int, sent: int) -> None:
        parts = urlsplit(url)
        self._target = f"{parts.hostname} {parts.path}"
        self._ordinal = ordinal
        self._sent = sent
        self._begun = time.monotonic()
        self._answered: float | None = None
        self._status: int | None = None
        self._request_id: str | None = None
        self.received = 0

    def answered(self, status: int, request_id: str | None) -> None:
        """Record the head of the response."""
        self._answered = time.monotonic()
        self._status, self._request_id = status, request_id

    def ended(self) -> None:
        """Write the log line."""
        now = time.monotonic()
        waited = (self._answered or now) - self._begun
        _log.info(
            "request %d: POST %s status=%s request_id=%s sent=%d received=%d answered_after=%.3fs took=%.3fs",
            *(self._ordinal, self._target, self._status or "none", self._request_id or "none"),
            *(self._sent, self.received, waited, now - self._begun),
        )
