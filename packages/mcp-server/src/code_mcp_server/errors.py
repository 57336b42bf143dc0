"""The server's errors.

    McpServerError
    ├── UnknownSession   no conversation has that id
    ├── SessionBusy      the conversation is working on another prompt
    ├── TooManySessions  the session limit is reached, and all sessions are busy
    ├── UnknownTool      no tool has that name
    ├── ToolHidden       the tool exists but is not enabled
    └── InvalidArguments the arguments of a tool call are invalid

They become results of a tool call (`isError`) and never end the server.
"""


class McpServerError(Exception):
    """The base of the server's errors; messages are sent to the client."""


class UnknownSession(McpServerError):  # noqa: N818 - the answer's name
    """No live conversation has the given id."""


class SessionBusy(McpServerError):  # noqa: N818 - same
    """The conversation is still working on another prompt."""


class TooManySessions(McpServerError):  # noqa: N818 - same
    """No session can be opened until one ends its prompt."""


class UnknownTool(McpServerError):  # noqa: N818 - same
    """No tool has the given name."""


class ToolHidden(McpServerError):  # noqa: N818 - same
    """The tool is available only to clients that enable it."""


class InvalidArguments(McpServerError):  # noqa: N818 - same
    """The arguments do not fit the tool's schema."""
