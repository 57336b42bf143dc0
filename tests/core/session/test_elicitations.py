import anyio
import mcp_types
import pytest

from code_core.protocol.events import EventMsg, WarningEvent
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.session.elicitations import Elicitations


@pytest.mark.parametrize(
    ("name", "asked"), [("name", True), ("größe", True), ("a\n? y", False), ("a\u202e", False)]
)
def test_a_server_cannot_ask_for_a_field_whose_name_hides_something(name: str, asked: bool) -> None:
    elicitations = Elicitations()
    seen: list[EventMsg] = []

    async def emit(msg: EventMsg) -> None:
        seen.append(msg)
        if isinstance(msg, ElicitationRequest):
            elicitations.answer(ResolveElicitation(id=msg.id, action="accept", content={name: "x"}))

    params = mcp_types.ElicitRequestFormParams.model_validate(
        {"message": "m", "requestedSchema": {"type": "object", "properties": {name: {"type": "string"}}}}
    )
    elicitations.begin(emit)
    result = anyio.run(elicitations.ask, "s", params)
    assert result.action == ("accept" if asked else "decline")
    (msg,) = seen
    assert isinstance(msg, ElicitationRequest if asked else WarningEvent)
