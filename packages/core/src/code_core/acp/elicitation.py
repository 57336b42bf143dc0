"""Questions from MCP servers to the user, as `elicitation/create` with a form or a URL.

Source: Agent Client Protocol, version 1, "Elicitation" (schema of SDK 2.4.0).
"""

from typing import Any, Literal

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.view.questions import elicitation_schema, elicitation_text
from code_core.view.visible import visible

MOST_FIELDS = 100
LONGEST_NAME = 200
LONGEST_MESSAGE = 64 * 1024


def can_be_asked(question: ElicitationRequest) -> bool:
    """Whether a client can show the whole question: field names are safe to show, and it fits in a form."""
    properties = question.requested_schema.get("properties")
    names = [*properties] if isinstance(properties, dict) else []
    return (
        len(question.message) <= LONGEST_MESSAGE
        and len(names) <= MOST_FIELDS
        and all(len(name) <= LONGEST_NAME and visible(name) == name for name in names)
    )


def elicitation_request(session_id: str, question: ElicitationRequest) -> dict[str, Any]:
    """Return the parameters of the question, with all text marked as the server's."""
    message = elicitation_text(question).markdown
    if question.url is not None:
        page = {"elicitationId": question.id, "url": question.url}
        return {"mode": "url", "sessionId": session_id, "message": message, **page}
    return {
        "mode": "form",
        "sessionId": session_id,
        "message": message,
        "requestedSchema": {"type": "object", **elicitation_schema(question)},
    }


def elicitation_answer(question: ElicitationRequest, answer: object) -> ResolveElicitation:
    """Convert the client's answer; anything but an acceptance with an object is a refusal."""
    action: Literal["accept", "decline", "cancel"] = "decline"
    content: dict[str, Any] | None = None
    match answer:
        case {"action": "accept"} if question.url is not None:
            action = "accept"
        case {"action": "accept", "content": dict(values)} if len(values) <= MOST_FIELDS:
            action, content = "accept", values
        case {"action": "cancel"}:
            action = "cancel"
        case _:
            pass
    return ResolveElicitation(id=question.id, action=action, content=content)
