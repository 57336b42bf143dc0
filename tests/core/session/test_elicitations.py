from typing import Any

import anyio
import mcp_types
import pytest

from code_core.protocol.events import EventMsg, WarningEvent
from code_core.protocol.mcp_events import ElicitationComplete, ElicitationRequest, ElicitationWithdrawn
from code_core.protocol.ops import ResolveElicitation
from code_core.session.questions import elicitations as module
from code_core.session.questions.elicitations import Elicitations


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


FORM = mcp_types.ElicitRequestFormParams.model_validate(
    {"message": "m", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
)


@pytest.mark.parametrize(
    ("action", "content"), [("accept", {"name": "x"}), ("decline", None), ("cancel", None)]
)
def test_an_answer_has_content_only_if_it_accepts(action: Any, content: Any) -> None:
    elicitations = Elicitations()
    requests: list[ElicitationRequest] = []

    async def emit(msg: EventMsg) -> None:
        assert isinstance(msg, ElicitationRequest)
        requests.append(msg)
        assert elicitations.answer(ResolveElicitation(id=msg.id, action=action, content={"name": "x"}))
        assert not elicitations.answer(ResolveElicitation(id=msg.id, action="accept", content={}))

    elicitations.begin(emit)
    for number in (1, 2):
        result = anyio.run(elicitations.ask, "s", FORM)
        assert (result.action, result.content) == (action, content)
        request = requests[-1]
        assert (request.id, request.server, request.message) == (f"s-{number}", "s", "m")
        assert request.requested_schema == FORM.requested_schema


def test_without_a_turn_or_a_form_the_question_is_declined() -> None:
    warnings: list[str] = []

    async def emit(msg: EventMsg) -> None:
        assert isinstance(msg, WarningEvent)
        warnings.append(msg.message)

    elicitations = Elicitations()
    assert anyio.run(elicitations.ask, "s", FORM).action == "decline"
    elicitations.begin(emit)
    url = mcp_types.ElicitRequestURLParams(message="m", url="https://example.com", elicitation_id="e")
    assert anyio.run(elicitations.ask, "s", url).action == "decline"
    assert warnings == [
        "the MCP server s was declined: it asked to open a page, which this frontend cannot do"
    ]
    elicitations.end()
    assert anyio.run(elicitations.ask, "s", FORM).action == "decline"


def test_the_refusal_of_a_hidden_field_names_server_and_field() -> None:
    warnings: list[str] = []

    async def emit(msg: EventMsg) -> None:
        assert isinstance(msg, WarningEvent)
        warnings.append(msg.message)

    elicitations = Elicitations()
    elicitations.begin(emit)
    properties = {"fine": {"type": "string"}, "a\u202e": {"type": "string"}}
    params = FORM.model_copy(update={"requested_schema": {"type": "object", "properties": properties}})
    assert anyio.run(elicitations.ask, "s\n", params).action == "decline"
    (warning,) = warnings
    assert "field whose name cannot be shown as it is: a" in warning
    assert "\u202e" not in warning
    assert "\n" not in warning


def test_the_end_of_a_turn_withdraws_the_servers_questions() -> None:
    async def main() -> None:
        elicitations = Elicitations()
        asked = anyio.Event()
        answers: list[str] = []

        async def emit(msg: EventMsg) -> None:
            del msg
            asked.set()

        async def ask() -> None:
            schema = {"type": "object", "properties": {}}
            params = mcp_types.ElicitRequestFormParams(message="?", requested_schema=schema)
            answers.append((await elicitations.ask("server", params)).action)

        with anyio.fail_after(10):
            elicitations.begin(emit)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await asked.wait()
                elicitations.end()
            await ask()
        assert answers == ["cancel", "decline"]

    anyio.run(main)


def page(url: str, elicitation_id: str = "p") -> mcp_types.ElicitRequestURLParams:
    return mcp_types.ElicitRequestURLParams(message="Log in", url=url, elicitation_id=elicitation_id)


def opened(*params: mcp_types.ElicitRequestURLParams) -> tuple[Elicitations, list[EventMsg], list[object]]:
    """The questions to a user who accepts every page, and the answers to servers."""
    elicitations, events, results = Elicitations(urls=True), list[EventMsg](), list[object]()

    async def emit(msg: EventMsg) -> None:
        events.append(msg)
        if isinstance(msg, ElicitationRequest):
            elicitations.answer(ResolveElicitation(id=msg.id, action="accept", content={"a": 1}))

    async def main() -> None:
        elicitations.begin(emit)
        for one in params:
            results.append(await elicitations.ask("s", one))

    anyio.run(main)
    return elicitations, events, results


def test_a_page_is_opened_once_and_completed_once() -> None:
    elicitations, events, results = opened(page("https://example.com/a"), page("http://example.com/b", "q"))
    assert events == [
        ElicitationRequest(
            id="s-1", server="s", message="Log in", requested_schema={}, url="https://example.com/a"
        ),
        ElicitationRequest(
            id="s-2", server="s", message="Log in", requested_schema={}, url="http://example.com/b"
        ),
    ]
    assert results == [mcp_types.ElicitResult(action="accept")] * 2  # a page has no fields
    assert elicitations.completed("other", "p") is None
    assert elicitations.completed("s", "p") == ElicitationComplete(id="s-1", server="s")
    assert elicitations.completed("s", "p") is None
    assert elicitations.completed("s", "q") == ElicitationComplete(id="s-2", server="s")


def test_the_oldest_of_very_many_pages_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 2)
    elicitations, _, _ = opened(*(page("https://example.com", name) for name in "abc"))
    assert elicitations.completed("s", "a") is None
    assert elicitations.completed("s", "b") is not None
    assert elicitations.completed("s", "c") is not None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "https://",
        "https://bank.example@evil.example/",
        "https://exa mple.com",
        "https://example.com/\u202e",
        "https://example.com/\x07",
        "https://[broken",
        "https://example.com/" + "x" * module.LONGEST_URL,
    ],
)
def test_anything_but_a_plain_web_address_is_not_opened(url: str) -> None:
    _, [warning], results = opened(page(url))
    assert isinstance(warning, WarningEvent)
    declined = "the MCP server s was declined: it asked to open what is not a plain web address: "
    assert warning.message.startswith(declined)
    assert len(warning.message) < module.LONGEST_SHOWN + 150
    assert results == [mcp_types.ElicitResult(action="decline")]


def test_the_length_of_an_address_is_limited() -> None:
    start = "https://example.com/"
    _, [request], _ = opened(page(start + "x" * (module.LONGEST_URL - len(start))))
    assert isinstance(request, ElicitationRequest)


def test_a_question_that_its_server_withdraws_is_reported() -> None:
    events: list[EventMsg] = []

    async def emit(msg: EventMsg) -> None:
        events.append(msg)

    async def main() -> None:
        elicitations = Elicitations()
        elicitations.begin(emit)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(elicitations.ask, "s", FORM)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert not elicitations.answer(ResolveElicitation(id="s-1", action="decline"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(elicitations.ask, "s", FORM)
            await anyio.wait_all_tasks_blocked()
            elicitations.end()  # the end of its turn is the report
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert [msg.type for msg in events] == [
        "elicitation_request",
        "elicitation_withdrawn",
        "elicitation_request",
    ]
    assert events[1] == ElicitationWithdrawn(id="s-1", server="s")
