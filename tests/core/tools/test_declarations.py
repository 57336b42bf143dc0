"""The declared arguments of tools, with which a model can check a call before it sends it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # no stubs

from code_core.config.guards import NO_GUARDS
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.exec_command import ExecCommand, WriteStdin
from code_core.tools.plan import UpdatePlan
from code_core.tools.request_user_input import AskUser
from code_core.tools.shell import DEFAULT_TIMEOUT_MS, Shell
from code_core.tools.tool import Tool
from code_core.tools.tool_search import FOUND_AT_ONCE, ToolSearch
from code_core.tools.view_image import ViewImage
from code_core.tools.web_search import WebSearch
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, WebSearchSpec

SHELL = Shell(ApplyPatch(None))
EXEC_COMMAND = ExecCommand(SHELL)
QUESTION = {"id": "database", "header": "Database", "question": "Which one?"}
OPTION = {"label": "SQLite", "description": "One file."}


@dataclass(frozen=True)
class Declared:
    """A tool with a call that has every argument.

    Attributes:
        needed: the required arguments.
        explained: the arguments that need a description.
        closed: whether it rejects other arguments.
    """

    tool: Tool
    call: Mapping[str, Any]
    needed: frozenset[str]
    explained: frozenset[str] = frozenset()
    closed: bool = True


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOOLS = [
    Declared(
        SHELL,
        {
            "command": ["ls", "-l"],
            "workdir": "src",
            "timeout_ms": 5_000,
            "with_escalated_permissions": True,
            "justification": "to see",
        },
        names("command"),
        names("timeout_ms with_escalated_permissions"),
        closed=False,
    ),
    Declared(
        EXEC_COMMAND,
        {
            "cmd": "ls",
            "workdir": "src",
            "tty": True,
            "yield_time_ms": 5,
            "max_output_tokens": 5,
            "with_escalated_permissions": True,
            "justification": "to see",
        },
        names("cmd"),
        names("tty"),
        closed=False,
    ),
    Declared(
        WriteStdin(EXEC_COMMAND),
        {"session_id": 1, "chars": "x", "yield_time_ms": 5, "max_output_tokens": 5},
        names("session_id"),
        closed=False,
    ),
    Declared(
        UpdatePlan(),
        {"explanation": "new", "plan": [{"step": "look", "status": "in_progress"}]},
        names("plan"),
        closed=False,
    ),
    Declared(ToolSearch({}, {}), {"query": "merge", "limit": 3}, names("query"), names("query limit")),
    Declared(ViewImage(), {"path": "a.png"}, names("path"), closed=False),
    Declared(AskUser(), {"questions": [QUESTION]}, names("questions"), closed=False),
]


@pytest.fixture(params=TOOLS, ids=lambda one: one.tool.name)
def declared(request: pytest.FixtureRequest) -> Declared:
    chosen: Declared = request.param
    return chosen


def function(tool: Tool) -> FunctionSpec:
    spec = tool.spec()
    assert isinstance(spec, FunctionSpec)
    return spec


def accepts(tool: Tool, arguments: object) -> bool:
    return bool(Draft202012Validator(function(tool).parameters).is_valid(arguments))


def kinds(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema and those in it."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])):
        yield from kinds(inner)


def test_a_declaration_has_a_name_a_sentence_and_a_schema(declared: Declared) -> None:
    spec = function(declared.tool)
    assert spec.name == declared.tool.name
    assert " " in spec.description
    Draft202012Validator.check_schema(spec.parameters)
    assert all("type" in one for one in kinds(spec.parameters))
    for name in declared.explained:
        assert " " in spec.parameters["properties"][name]["description"]


def test_every_argument_is_declared_with_its_kind(declared: Declared) -> None:
    tool, call = declared.tool, declared.call
    assert accepts(tool, call)
    assert accepts(tool, {name: call[name] for name in declared.needed})
    assert not accepts(tool, [])
    for name in call:
        assert not accepts(tool, {**call, name: {"wrong": 1}}), name
        rest = {other: value for other, value in call.items() if other != name}
        assert accepts(tool, rest) is (name not in declared.needed), name
    assert accepts(tool, {**call, "another": 1}) is not declared.closed
    assert set(function(tool).parameters["properties"]) == set(call)


def test_a_command_is_a_list_of_words() -> None:
    assert not accepts(SHELL, {"command": "ls"})
    assert not accepts(SHELL, {"command": [1]})
    assert str(DEFAULT_TIMEOUT_MS) in function(SHELL).parameters["properties"]["timeout_ms"]["description"]


@pytest.mark.parametrize(
    "step",
    [
        5,
        {"step": "look"},
        {"status": "pending"},
        {"step": 5, "status": "pending"},
        {"step": "look", "status": 5},
        {"step": "look", "status": "XXpending"},
        {"step": "look", "status": "XXin_progress"},
        {"step": "look", "status": "XXcompleted"},
    ],
)
def test_a_plan_step_has_a_text_and_a_state(step: object) -> None:
    assert not accepts(UpdatePlan(), {"plan": [step]})
    assert not accepts(UpdatePlan(), {"plan": {}})


@pytest.mark.parametrize("status", ["pending", "in_progress", "completed"])
def test_a_step_has_one_of_three_states(status: str) -> None:
    assert accepts(UpdatePlan(), {"plan": [{"step": "look", "status": status}]})


@pytest.mark.parametrize(
    "question",
    [
        5,
        *[{**QUESTION, name: 5} for name in QUESTION],
        *[{name: QUESTION[name] for name in QUESTION if name != missing} for missing in QUESTION],
        {**QUESTION, "options": {}},
        {**QUESTION, "options": ["SQLite"]},
        *[{**QUESTION, "options": [{**OPTION, name: 5}]} for name in OPTION],
        {**QUESTION, "options": [{"description": "One file."}]},
    ],
)
def test_a_question_to_the_user_has_texts_and_options(question: object) -> None:
    assert accepts(AskUser(), {"questions": [{**QUESTION, "options": [OPTION]}]})
    assert not accepts(AskUser(), {"questions": [question]})
    assert not accepts(AskUser(), {"questions": {}})


def test_the_parts_of_a_question_are_explained() -> None:
    properties = function(AskUser()).parameters["properties"]["questions"]["items"]["properties"]
    assert all(" " in properties[name]["description"] for name in ("id", "header", "options"))


def test_a_search_declares_its_maximum_number_of_results() -> None:
    described = function(ToolSearch({}, {})).parameters["properties"]["limit"]["description"]
    assert f"{FOUND_AT_ONCE} by default" in described


def test_a_patch_is_text_with_a_grammar() -> None:
    spec = ApplyPatch(None).spec()
    assert isinstance(spec, FreeformSpec)
    assert spec.name == "apply_patch"
    assert "as plain text" in spec.description
    assert spec.grammar.startswith("start: BEGIN_PATCH")
    assert spec.manual.startswith("Edit files with a patch: plain text between two markers")
    assert "*** Begin Patch" in spec.manual


def test_a_web_search_declares_its_allowed_sites() -> None:
    assert WebSearch().spec() == WebSearchSpec()
    assert WebSearch(("example.com",)).spec() == WebSearchSpec(allowed_domains=("example.com",))


def test_all_users_of_a_shell_share_one_runner_with_its_patches_and_guards() -> None:
    apply_patch, guards = ApplyPatch(None), NO_GUARDS
    shell = Shell(apply_patch, guards)
    runner = anyio.run(shell.commands)
    assert (runner._apply_patch, runner._guards) == (apply_patch, guards)
    assert anyio.run(shell.commands) is runner
