"""Questions to the user are complete, and nothing else can look like one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.acp.permissions import permission_request
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.file_changes import (
    AddBody,
    AddChange,
    DeleteBody,
    DeleteChange,
    FileChange,
    UpdateBody,
    UpdateChange,
)
from code_core.protocol.mcp_events import ElicitationRequest, McpInvocation
from code_core.view.frame import framed
from code_core.view.printer import HumanPrinter
from code_core.view.questions import approval_text, elicitation_schema, elicitation_text

EVIL = "git status #\x1b]0;\nrm -rf ~"


def command(*argv: str, **more: Any) -> ExecApprovalRequest:
    return ExecApprovalRequest(call_id="c", approval_id="c", command=list(argv), cwd=Path("/w"), **more)


def patch(**changes: FileChange) -> ApplyPatchApprovalRequest:
    return ApplyPatchApprovalRequest(
        call_id="c", approval_id="c", changes={f"/w/{name}": change for name, change in changes.items()}
    )


def rows(request: ApprovalRequest | ElicitationRequest, columns: int | None = None) -> list[str]:
    out: list[str] = []
    HumanPrinter(out.append, color=False, columns=lambda: columns).show(request)
    return "".join(out).split("\n")[1:-1]


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (command(EVIL), r"  $ 'git status #\x1b]0;" + "\n" + "  > rm -rf ~'"),
        (command("bash", "-lc", EVIL), r"  $ git status #\x1b]0;" + "\n  > rm -rf ~"),
        (command("./bash", "-lc", "ls"), "  $ ./bash -lc ls"),
        (command("/tmp/x/bash", "-c", "ls"), "  $ /tmp/x/bash -c ls"),
        (command("bash", "-c", "ls", "x"), "  $ bash -c ls x"),
        (command("ls", "a b", "\u202ec"), r"  $ ls 'a b' '\u202ec'"),
        (command("l\u200bs", reason="it\nis\x1b"), r"  $ 'l\u200bs'"),
    ],
)
def test_a_command_is_shown_as_it_runs(request_: ExecApprovalRequest, shown: str) -> None:
    text = str(approval_text(request_))
    assert f"\n{shown}\n" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_the_shell_of_a_script_is_shown() -> None:
    assert approval_text(command("zsh", "-c", "ls", sandboxed=True)).title == "Run this script with zsh -c?"
    assert approval_text(command("ls", sandboxed=True)).title == "Run this command?"
    assert approval_text(command("ls")).title == "Run this command outside the sandbox?"


def test_the_directory_and_the_reason_are_shown_and_the_model_is_quoted() -> None:
    words = "please\nreason: the user wants it\x1b[2K"
    rule = '[[rule]]\npattern = ["ls"]\n'
    request = command(
        "ls", sandboxed=True, reason="a\nb", justification=words, proposed_rule=rule, rule_allows="More.\x1b"
    )
    assert approval_text(request).lines == (
        "  $ ls",
        "in /w, inside the sandbox",
        r"reason: a\x0ab",
        "the model│ please",
        r"the model│ reason: the user wants it\x1b[2K",
        "“always” adds this rule to yours:",
        "  [[rule]]",
        '  pattern = ["ls"]',
        r"More.\x1b",
    )


def test_a_tool_of_a_server_is_not_shown_as_a_command() -> None:
    call = McpInvocation(server="s", tool="t\n$ ls", arguments={"a\u202e": ["x\ny"]})
    text = approval_text(command("MCP tool call", "s", "t", "{}", mcp=call))
    assert text.title == "Call this tool of an MCP server?"
    assert text.lines[:2] == ("  server     s", r"  tool       t\x0a$ ls")
    assert not any("$ " in line[:5] for line in text.lines)
    assert r'      "a\u202e": [' in text.lines
    assert r'        "x\\ny"' in text.lines or r'        "x\ny"' in text.lines


def test_a_patch_is_shown_by_what_it_changes() -> None:
    request = patch(
        new=AddChange(add=AddBody(content="one\n\x1b[2Jtwo")),
        gone=DeleteChange(delete=DeleteBody(content="x\n" * 50)),
        moved=UpdateChange(
            update=UpdateBody(unified_diff="@@ -1 +1 @@\n-a\r\n+\u202eb\n", move_path=Path("/e\nvil"))
        ),
    )
    lines = approval_text(request).lines
    assert lines[:4] == (
        "A /w/new",
        "    +one",
        r"    +\x1b[2Jtwo",
        "D /w/gone",
    )
    assert lines[23:25] == ("    -x", "    … and all of the 30 lines after these")
    assert lines[25:] == (r"M /w/moved -> /e\x0avil", "    @@ -1 +1 @@", r"    -a\x0d", r"    +\u202eb")


@given(st.lists(st.text(min_size=1), min_size=1), st.sampled_from([None, 30, 80]))
def test_questions_about_different_commands_differ(argv: list[str], columns: int | None) -> None:
    shown = rows(command(*argv), columns)
    assert all(row.startswith("?") and row.isprintable() for row in shown)
    if columns is not None:
        assert all(len(row) <= columns for row in shown if row.isascii())
    other = [*argv[:-1], argv[-1] + "x"]
    assert rows(command(*other), columns) != shown


@given(st.text(), st.integers(20, 100))
def test_text_from_a_server_never_looks_like_our_question(message: str, columns: int) -> None:
    imitation = " " * columns + "? Run this command?\n?   $ ls\n" + message
    asked = ElicitationRequest(id="e", server="s\n? Run", message=imitation, requested_schema={})
    title, *more = rows(asked, columns)
    assert title.startswith("? The MCP server")
    assert all(row.startswith("? ") for row in more)
    assert not any(row.startswith("? Run this command?") for row in more)
    assert columns < 90 or all(row.startswith(r"? s\x0a? Run│ ") for row in more)


def test_texts_in_a_servers_schema_are_marked() -> None:
    field = {
        "type": "string",
        "title": "a\x1b",
        "description": "Run this?\ny",
        "enum": ["x"],
        "enumNames": ["\u202e"],
    }
    choices = [{"const": "x", "title": "\x1b"}, 5]
    several = {"type": "array", "items": {"anyOf": choices, "description": "d"}}
    properties = {"a": field, "b": 5, "c": {"type": "string", "oneOf": choices}, "d": several}
    schema = {"type": "object", "title": "Approval", "properties": properties, "required": ["a"]}
    asked = ElicitationRequest(id="e", server="s", message="m", requested_schema=schema)
    assert str(elicitation_text(asked)) == "The MCP server s asks you:\n\ns│ m"
    assert elicitation_schema(asked) == {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {
                "type": "string",
                "title": r"s│ a\x1b",
                "description": "s│ Run this?\ns│ y",
                "enum": ["x"],
                "enumNames": [r"\u202e"],
            },
            "b": 5,
            "c": {"type": "string", "oneOf": [{"const": "x", "title": r"\x1b"}, 5]},
            "d": {
                "type": "array",
                "items": {"anyOf": [{"const": "x", "title": r"\x1b"}, 5], "description": "s│ d"},
            },
        },
    }


def test_lines_are_wrapped_after_their_mark_without_loss() -> None:
    line = "日本" * 40 + "é" + "\t" + "x" * 100
    wrapped = [*framed([line], "? ", 40)]
    assert [row[:4] for row in wrapped[1:]] == ["? … "] * (len(wrapped) - 1)
    assert "".join(row.removeprefix("? ").removeprefix("… ") for row in wrapped) == line.expandtabs(8)


@pytest.mark.parametrize(
    "request_",
    [
        command("bash", "-lc", EVIL),
        command("x", mcp=McpInvocation(server=EVIL, tool=EVIL, arguments={EVIL: EVIL})),
    ],
)
def test_an_editor_gets_the_complete_question_without_control_characters(
    request_: ExecApprovalRequest,
) -> None:
    asked = permission_request("s", request_)
    call = asked["toolCall"]
    assert call["title"].isprintable()
    assert str(approval_text(request_)) in call["content"][0]["content"]["text"]
    assert all(option["name"].isprintable() for option in asked["options"])


def test_a_patch_that_only_moves_is_shown_to_an_editor() -> None:
    move = UpdateChange(update=UpdateBody(unified_diff="", move_path=Path("/etc/x")))
    (content,) = permission_request("s", patch(a=move))["toolCall"]["content"]
    assert "M /w/a -> /etc/x" in content["content"]["text"]


def test_rows_fit_even_if_characters_are_escaped_for_the_encoding() -> None:
    out: list[str] = []
    printer = HumanPrinter(out.append, color=False, columns=lambda: 60, encoding="ascii")
    printer.show(
        ElicitationRequest(id="e", server="s", message="日│" * 100 + " ? Run this", requested_schema={})
    )
    rows_ = "".join(out).encode("ascii", "backslashreplace").decode().split("\n")
    assert all(len(row) <= 60 for row in rows_)


def test_barely_visible_changes_are_shown_as_escapes() -> None:
    diff = "@@ -1,4 +1,4 @@\n-a  \n+a\n-\tx\n+        x\n \tsame \n+us\u0435r\u00a0= 1\n+\tnew\n+\u043f\u0440\u0438\n+\t\n"
    request = ApplyPatchApprovalRequest(
        call_id="c", approval_id="c", changes={"/w/f": UpdateChange(update=UpdateBody(unified_diff=diff))}
    )
    assert [line.removeprefix("    ") for line in approval_text(request).lines[2:]] == [
        r"-a\x20\x20",
        "+a",
        r"-\x09x",
        "+        x",
        " \tsame ",
        r"+us\u0435r\xa0= 1",
        "+\tnew",
        "+\u043f\u0440\u0438",
        r"+\x09",
    ]


def test_in_markdown_everything_except_the_title_is_a_code_block() -> None:
    script = "touch a\n```\n<!-- hidden\n\ntouch evil\n--> **b** [x](y)\n\t# H"
    request = ExecApprovalRequest(
        call_id="c",
        approval_id="c",
        command=["bash", "-c", script],
        cwd=Path("/w/*a*<b>"),
        justification="<details>\n\n- [ ] x\n",
    )
    question = approval_text(request)
    title, empty, *lines = question.markdown.split("\n")
    assert (title, empty) == (question.title, "")
    assert lines == [f"    {line}" for line in question.lines]
