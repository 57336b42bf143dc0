"""Prompts of MCP servers as commands."""

import pytest

from code_core.context.server_prompts import (
    BadPromptCommand,
    arguments_of,
    command_names,
    description,
    hint,
)
from code_core.protocol.mcp_events import McpPrompt, McpPromptArgument


def prompt(*arguments: str, name: str = "greet", **more: str) -> McpPrompt:
    """A prompt whose arguments are required, unless their names end with `?`."""
    taken = [McpPromptArgument(name=one.rstrip("?"), required=not one.endswith("?")) for one in arguments]
    return McpPrompt(server="notes", name=name, arguments=taken, **more)


@pytest.mark.parametrize(
    ("arguments", "typed", "given"),
    [
        ((), "", {}),
        ((), "more", {}),
        (("who",), "Ada Lovelace, isn't it", {"who": "Ada Lovelace, isn't it"}),
        (("who",), "who='Ada Lovelace'", {"who": "Ada Lovelace"}),
        (("who?",), "", {}),
        (("who", "how"), "'Ada Lovelace' very warmly", {"who": "Ada Lovelace", "how": "very warmly"}),
        (("who", "how?"), "Ada", {"who": "Ada"}),
        (("who", "how"), "how=warmly Ada", {"who": "Ada", "how": "warmly"}),
        (("who", "how"), "Ada x=1", {"who": "Ada", "how": "x=1"}),
        (("who", "how"), "isn't it", {"who": "isn't", "how": "it"}),
        (("who", "how?"), "who=Ada", {"who": "Ada"}),
    ],
)
def test_arguments_are_taken_in_order_or_by_name(
    arguments: tuple[str, ...], typed: str, given: dict[str, str]
) -> None:
    assert arguments_of(prompt(*arguments), typed) == given


@pytest.mark.parametrize(
    ("arguments", "typed", "missing"),
    [(("who",), "", "who"), (("who", "how"), "Ada", "how"), (("who", "how?"), "how=x", "who")],
)
def test_a_missing_argument_is_reported_by_name(arguments: tuple[str, ...], typed: str, missing: str) -> None:
    with pytest.raises(BadPromptCommand, match=f"'greet' of the MCP server 'notes' needs {missing}: type "):
        arguments_of(prompt(*arguments), typed)


def test_commands_have_names_that_can_be_typed() -> None:
    odd, same = prompt(name="two words!"), prompt(name="two words?")
    assert command_names([odd, same, prompt()]) == {"mcp:notes:two_words_": odd, "mcp:notes:greet": prompt()}


def test_descriptions_are_one_visible_line() -> None:
    assert description(prompt(description="Greet\nsomebody\u202e")) == "Greet somebody\\u202e"
    assert description(prompt(title="Title")) == "Title"
    assert len(description(prompt(description="x" * 500))) == 200
    assert hint(prompt("who", "how?")) == "who [how]"
    assert hint(prompt()) is None
