"""What can go wrong in the server.

    McpServerError
    ├── UnknownSession   no conversation has that id
    ├── SessionBusy      a conversation takes one prompt at a time
    ├── TooManySessions  all the sessions that there may be are busy
    ├── UnknownTool      there is no such tool
    ├── ToolHidden       the tool exists but is not enabled
    └── InvalidArguments the arguments of a tool call are wrong

All of them are answers to a tool call (`isError`), never the end of the server.
"""


class McpServerError(Exception):
    """The root of the server's errors; its text goes to the client."""


class UnknownSession(McpServerError):  # noqa: N818 - the answer's name
    """No live conversation has the id that was given."""


class SessionBusy(McpServerError):  # noqa: N818 - same
    """The conversation is still working on another prompt."""


class TooManySessions(McpServerError):  # noqa: N818 - same
    """No session can be opened until one ends its prompt."""


class UnknownTool(McpServerError):  # noqa: N818 - same
    """No tool has the name that was given."""


class ToolHidden(McpServerError):  # noqa: N818 - same
    """The tool is only available to clients that enable it."""


class InvalidArguments(McpServerError):  # noqa: N818 - same
    """The arguments do not fit the tool's schema."""
