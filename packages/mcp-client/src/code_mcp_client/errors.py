"""What can go wrong between this client and a server.

    McpClientError
    ├── InvalidSetting            a size or a name in our own configuration (also a ValueError)
    ├── ServerStartError          the server could not be started or reached
    │   └── ServerNotFound        there is no such program
    ├── ConnectionLost            no answer can come any more
    │   ├── ServerExited          the server's process ended
    │   ├── NoisyServer           the server floods its output with what are not messages
    │   └── ClientClosed          the client was closed, here
    ├── RequestTimedOut           no answer in time (also a TimeoutError)
    ├── RequestFailed             the server answered with a JSON-RPC error
    └── UnusableAnswer            the server answered with something that cannot be taken
        ├── MessageTooLarge       longer than `max_message_bytes`
        ├── MalformedMessage      not one JSON-RPC message on one line
        └── InvalidResult         JSON-RPC, but not what the method promises

`InvalidSetting` is ours to mend, `ClientClosed` and `RequestTimedOut` are nobody's
fault, everything else is the server's. A tool that fails is not an error: its
result says so in `is_error`.
"""

from typing import Any


class McpClientError(Exception):
    """The root of this package's errors; its text is fit for a user to read."""


class InvalidSetting(McpClientError, ValueError):  # noqa: N818 - named as a state, like the rest of the tree
    """A setting cannot be used; the text names where it came from and what is accepted."""


class ServerStartError(McpClientError):
    """The server could not be started (stdio) or reached (HTTP)."""


class ServerNotFound(ServerStartError):  # noqa: N818 - a state of the machine
    """The program does not exist; the text names the folders that were searched."""


class ConnectionLost(McpClientError):  # noqa: N818 - a state of the connection
    """The connection ended while, or before, a request waited for its answer."""


class ServerExited(ConnectionLost):
    """The server's process ended, or closed its output, which ends the conversation as well.

    Attributes:
        code: exit status; minus the signal number for a signal; None while it still runs.
        stderr_tail: the last 16 KiB it wrote to stderr.
    """

    def __init__(self, server: str, code: int | None, stderr_tail: str) -> None:
        match code:
            case None:
                what = "closed its output but still runs"
            case int() if code < 0:
                what = f"was ended by signal {-code}"
            case _:
                what = f"exited with status {code}"
        said = f"; the end of its stderr:\n{stderr_tail}" if stderr_tail else "; it wrote nothing to stderr"
        super().__init__(f"MCP server {server!r} {what}{said}")
        self.code = code
        self.stderr_tail = stderr_tail


class NoisyServer(ConnectionLost):
    """The server floods its standard output with what are not MCP messages; nothing more of it is read.

    Attributes:
        server: its name.
        excerpt: the beginning of one such line.
    """

    def __init__(self, server: str, excerpt: str) -> None:
        super().__init__(
            f"MCP server {server!r} floods its standard output with what are not MCP messages, such as {excerpt!r}: "
            "is it a server that talks MCP over stdio? Its log must go to standard error"
        )
        self.server = server
        self.excerpt = excerpt


class ClientClosed(ConnectionLost):
    """The client is closed, or was never opened."""


class RequestTimedOut(McpClientError, TimeoutError):  # noqa: N818 - a state of the request
    """No answer came in time; the server was told to stop working on the request."""


LONGEST_MESSAGE = 4_000
"""Characters of a server's error message; the rest is left out."""


class RequestFailed(McpClientError):  # noqa: N818 - a state of the request
    """The server answered with a JSON-RPC error object.

    Attributes:
        code: the JSON-RPC error code.
        data: what the server added, unchecked.
    """

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[:LONGEST_MESSAGE]}… ({len(message):,} characters)"
        super().__init__(f"{method} failed: {message} (JSON-RPC error {code})")
        self.code = code
        self.message = message
        self.data = data


class UnusableAnswer(McpClientError):  # noqa: N818 - a state of the answer
    """An answer came, or was being sent, but cannot be taken."""


class MessageTooLarge(UnusableAnswer):
    """A message is longer than `max_message_bytes`; it was skipped, the connection goes on."""


class MalformedMessage(UnusableAnswer):
    """A message is not one JSON-RPC message on one line; the connection goes on."""


class InvalidResult(UnusableAnswer):
    """A result does not have the shape its method, or the tool's output schema, promises."""
