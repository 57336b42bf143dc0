"""The errors of this client.

    McpClientError
    ├── InvalidSetting            an invalid value in our own configuration (also a ValueError)
    ├── ServerStartError          the server could not be started or reached
    │   └── ServerNotFound        the program does not exist
    ├── ConnectionLost            no answer can arrive any more
    │   ├── ServerExited          the server's process ended
    │   ├── NoisyServer           the server floods its output with text other than messages
    │   └── ClientClosed          the client was closed locally
    ├── RequestTimedOut           no answer in time (also a TimeoutError)
    ├── RequestFailed             the server answered with a JSON-RPC error
    └── UnusableAnswer            the server's answer cannot be used
        ├── MessageTooLarge       longer than `max_message_bytes`
        ├── MalformedMessage      not one JSON-RPC message on one line
        └── InvalidResult         JSON-RPC, but not a result of the method

`InvalidSetting` is the user's fault, `ClientClosed` and `RequestTimedOut` nobody's, and all
others are the server's. A tool that fails is not an error: its result says so in `is_error`.
"""

from typing import Any

from pydantic_core import to_json


class McpClientError(Exception):
    """The base of this package's errors; messages are suitable for users."""


class InvalidSetting(McpClientError, ValueError):  # noqa: N818 - named as a state, like the rest of the tree
    """An invalid setting; the message names where it was set and what is accepted."""


class ServerStartError(McpClientError):
    """The server could not be started (stdio) or reached (HTTP)."""


class ServerNotFound(ServerStartError):  # noqa: N818 - a state of the machine
    """The program does not exist; the message names the directories that were searched."""


class ConnectionLost(McpClientError):  # noqa: N818 - a state of the connection
    """The connection ended before a request was answered."""


class ServerExited(ConnectionLost):
    """The server's process ended or closed its output, which ends the connection as well.

    Attributes:
        code: the exit status; minus the signal number for a signal; None if still running.
        stderr_tail: the last 16 KiB of its stderr.
    """

    def __init__(self, server: str, code: int | None, stderr_tail: str) -> None:
        match code:
            case None:
                what = "closed its output but still runs"
            case int() if code < 0:
                what = f"was ended by signal {-code}"
            case _:
                what = f"exited with status {code}"
        tail = f"; the end of its stderr:\n{stderr_tail}" if stderr_tail else "; it wrote nothing to stderr"
        super().__init__(f"MCP server {server!r} {what}{tail}")
        self.code = code
        self.stderr_tail = stderr_tail


class NoisyServer(ConnectionLost):
    """The server floods its standard output with text other than MCP messages; reading has stopped.

    Attributes:
        server: its name.
        excerpt: the beginning of such a line.
    """

    def __init__(self, server: str, excerpt: str) -> None:
        super().__init__(
            f"MCP server {server!r} floods its standard output with text other than MCP messages, such as {excerpt!r}: "
            "check that it speaks MCP over stdio, and that it logs to standard error"
        )
        self.server = server
        self.excerpt = excerpt


class ClientClosed(ConnectionLost):
    """The client is closed, or was never opened."""


class RequestTimedOut(McpClientError, TimeoutError):  # noqa: N818 - a state of the request
    """No answer arrived in time; the server was asked to cancel the request."""


LONGEST_MESSAGE = 4_000
"""Characters of a server's error message; the rest is omitted."""


LONGEST_DETAILS = 1_000
"""Characters of an error's data in its message."""
_PAGE_REQUIRED = -32042  # its data is a request to open pages, which the client handles


def _details(code: int, data: Any) -> str:
    """The data of an error, in which many servers say what was wrong with which argument."""
    if data is None or data in ("", [], {}) or code == _PAGE_REQUIRED:
        return ""
    text = data if isinstance(data, str) else to_json(data, inf_nan_mode="constants", fallback=str).decode()
    return f": {text[:LONGEST_DETAILS]}{'…' if len(text) > LONGEST_DETAILS else ''}"


class RequestFailed(McpClientError):  # noqa: N818 - a state of the request
    """The server answered with a JSON-RPC error object.

    Attributes:
        code: the JSON-RPC error code.
        data: additional data from the server, unvalidated.
    """

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[:LONGEST_MESSAGE]}… ({len(message):,} characters)"
        super().__init__(f"{method} failed: {message}{_details(code, data)} (JSON-RPC error {code})")
        self.code = code
        self.message = message
        self.data = data


class UnusableAnswer(McpClientError):  # noqa: N818 - a state of the answer
    """An answer arrived, or started to, but cannot be used."""


class MessageTooLarge(UnusableAnswer):
    """A message is longer than `max_message_bytes` and was skipped; the connection stays open."""


class MalformedMessage(UnusableAnswer):
    """A message is not one JSON-RPC message on one line; the connection stays open."""


class InvalidResult(UnusableAnswer):
    """A result does not have the form required by its method or the tool's output schema."""
