import os
import signal
import subprocess
import time

import pytest

from code_tui.line_input import PASTE_GAP
from code_tui.plain import TWICE_WITHIN
from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario
from tui.terminal import Terminal

RUN = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
SLEEP = [sse.function_call("shell", {"command": ["sleep", "60"]}, "c1"), sse.completed()]
BYE = [sse.message("Bye now."), sse.completed()]


@pytest.fixture(autouse=True)
def scenario(workspace: Workspace) -> None:
    write(workspace, RUN, BYE)


def write(workspace: Workspace, *responses: list[dict[str, object]]) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))


def test_piped_input_from_before_the_question_does_not_answer_it(workspace: Workspace) -> None:
    done = workspace.run(stdin="go\ny\n/quit\nnever read\n")
    assert done.returncode == 0, done.stderr
    assert "? Run this command outside the sandbox?\n?   $ touch made\n" in done.stdout
    assert "(not an answer, kept for the next prompt: y and 2 more)" in done.stdout
    assert not (workspace.directory / "made").exists()


def test_piped_input_after_the_question_answers_it(workspace: Workspace) -> None:
    with workspace.start(stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        shown = ""
        for text, answer in [
            ("> ", "go\n"),
            ("q stop): ", "what?\n"),
            ("q stop): ", "y\n"),
            ("> ", "/quit\n"),
        ]:
            part = ""
            while text not in part:
                part += process.stdout.read(1)
            shown += part
            process.stdin.write(answer)
            process.stdin.flush()
        assert process.wait(30) == 0
    assert shown.count("? (y yes, a yes to just this") == 2
    assert "Bye now." in shown
    assert (workspace.directory / "made").exists()


def test_the_end_of_the_input_means_no(workspace: Workspace) -> None:
    done = workspace.run("go", stdin="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("> \n")
    assert not (workspace.directory / "made").exists()


def test_the_input_may_be_a_file(workspace: Workspace) -> None:
    script = workspace.home / "input"
    script.write_text("go\nn\n")
    with script.open() as file:
        done = subprocess.run(
            [CODE],
            stdin=file,
            cwd=workspace.directory,
            env=workspace.environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert b"Bye now." in done.stdout
    assert not (workspace.directory / "made").exists()


def test_ctrl_c_interrupts_the_turn_clears_the_line_and_then_ends_the_program(workspace: Workspace) -> None:
    write(workspace, SLEEP, BYE)
    terminal = Terminal(workspace, "chat", "--dangerously-bypass-approvals-and-sandbox", "go")
    terminal.until("$ sleep 60")
    terminal.type("\x03")
    terminal.until("turn interrupted")
    terminal.until("\r\n> ")
    terminal.type("not this\x03")
    terminal.until("Ctrl+C again ends the conversation, and so does Ctrl+D)\r\n\r\n> ")
    terminal.type("\x03")
    assert terminal.wait() == 0


def test_ctrl_c_at_the_prompt_is_forgotten_after_a_while(workspace: Workspace) -> None:
    write(workspace, BYE)
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("\x03")
    terminal.until_again("> ")
    time.sleep(TWICE_WITHIN + 0.2)
    terminal.type("\x03")
    terminal.until_again("\r\n> ")
    terminal.type("go\r")
    terminal.until("Bye now.")
    terminal.close()


@pytest.mark.parametrize("end", ["\r", ""], ids=["with its last end", "without it"])
def test_a_paste_is_one_prompt(workspace: Workspace, end: str) -> None:
    pasted = {"expect": [{"contains": "one\ntwo\nthree"}], "stream": BYE}
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [pasted]))
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type(f"one\rtwo\rthree{end}")
    if not end:
        terminal.until("Enter sends it")
        assert "Bye now." not in terminal.screen
        terminal.type("\r")
    terminal.until("Bye now.")
    terminal.close()


def test_a_paste_that_arrives_in_parts_is_one_prompt(workspace: Workspace) -> None:
    pasted = {"expect": [{"contains": "one\ntwo\nthree"}], "stream": BYE}
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [pasted]))
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("one\rt")
    terminal.until("Enter sends it")
    terminal.type("wo\rthree\r")
    terminal.until("Bye now.")
    terminal.close()


def test_many_pasted_lines_do_not_take_long(workspace: Workspace) -> None:
    last = {"expect": [{"contains": "line 499"}], "stream": BYE}
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [last]))
    terminal = Terminal(workspace)
    terminal.until("> ")
    began = time.monotonic()
    for first in range(0, 500, 50):
        terminal.type("".join(f"line {number}\r" for number in range(first, first + 50)))
        terminal.until(f"line {first + 49}")
    terminal.until("Bye now.")
    assert time.monotonic() - began < 500 * PASTE_GAP
    terminal.close()


def test_a_line_that_the_terminal_has_cut_off_is_not_sent(workspace: Workspace) -> None:
    sent = {"expect": [{"contains": "z" * 4000}], "stream": BYE}
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [sent]))
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("z" * 5000 + "\r")
    terminal.until("nothing was sent")
    terminal.type("z" * 4000 + "\r")
    terminal.until("Bye now.")
    terminal.close()


def test_an_unfinished_paste_is_not_sent_when_the_input_ends(workspace: Workspace) -> None:
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("one\rtwo")
    terminal.until("Enter sends it")
    terminal.type("\x04")
    assert terminal.wait() == 0
    assert not [*workspace.home.glob("sessions/**/*.jsonl")]


def test_an_unfinished_paste_can_be_discarded(workspace: Workspace) -> None:
    workspace.environment["CODE_REPLAY"] = str(
        write_scenario(workspace.home, [{"expect": [{"contains": "four"}], "stream": BYE}])
    )
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("one\rtwo")
    terminal.until("Ctrl+C discards it")
    terminal.type("\x03")
    terminal.until_again("> ")
    terminal.type("four\r")
    terminal.until("Bye now.")
    assert "turn" not in terminal.screen
    terminal.close()


def test_a_word_without_enter_is_not_an_answer_when_the_input_ends(workspace: Workspace) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until("q stop): ")
    terminal.type("y\x04\x04")
    assert terminal.wait() == 0
    assert not (workspace.directory / "made").exists()


def test_a_message_is_shown_once_while_it_streams(workspace: Workspace) -> None:
    write(
        workspace,
        [
            sse.text_delta("Hello there"),
            sse.text_delta(", you"),
            {"pause_ms": 1500},
            sse.message("Hello there, you."),
            sse.completed(),
        ],
    )
    terminal = Terminal(workspace, "chat", "go")
    terminal.until("Hello there, ")
    assert "\r\n> " not in terminal.screen
    terminal.until("\r\n> ")
    assert terminal.screen.count("Hello") == 1
    assert "Hello there, you.\r\n" in terminal.screen
    terminal.close()


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_every_row_of_a_question_has_its_mark(workspace: Workspace, columns: int) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", columns=columns)
    terminal.until("> ")
    terminal.type("go\r")
    terminal.until("q stop): ")
    question = terminal.screen.partition("\r\n?")[2]
    for row in f"?{question}".split("\r\n"):
        assert row.startswith("? ")
        assert len(row) <= columns
    terminal.type("n\r")
    terminal.until("Bye now.")
    terminal.close()


def test_ctrl_d_ends_the_program(workspace: Workspace) -> None:
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.wait() == 0


@pytest.mark.parametrize(
    "typed",
    ["please do it\ryes, like before\r", "tidy up\ry\r", "go\ry"],
    ids=["two lines", "a word", "unfinished"],
)
def test_input_typed_before_the_question_does_not_answer_it(workspace: Workspace, typed: str) -> None:
    write(workspace, [{"pause_ms": 700}, *RUN], BYE)
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access")
    terminal.until("> ")
    first, _, rest = typed.partition("\r")
    terminal.type(f"{first}\r")
    time.sleep(0.2)
    terminal.type(rest)
    terminal.until("q stop): ")
    if typed == "go\ry":
        terminal.until("(discarded, because you did not press Enter: y)")
        terminal.type("\r")
        terminal.until_again("q stop): ")
    assert not (workspace.directory / "made").exists()
    terminal.type("n\r")
    terminal.until("Bye now.")
    assert not (workspace.directory / "made").exists()
    terminal.close()


@pytest.mark.parametrize(
    "answer",
    ["yes please\r", "please do not\r", "abort\r", "\x1b[Ay\r", "y\ry\r", "y\rand more", "ye s\r"],
)
def test_only_a_complete_short_answer_counts(workspace: Workspace, answer: str) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until("q stop): ")
    terminal.type(answer)
    terminal.until_again("q stop): ")
    assert not (workspace.directory / "made").exists()
    terminal.type("YES\r")
    terminal.until("Bye now.")
    assert (workspace.directory / "made").exists()
    terminal.close()


def test_an_answer_directly_followed_by_more_text_is_a_paste(workspace: Workspace) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until("q stop): ")
    terminal.type("y\r")
    time.sleep(PASTE_GAP / 3)
    terminal.type("more\r")
    terminal.until_again("q stop): ")
    assert "(not an answer, kept for the next prompt: y" in terminal.screen
    assert not (workspace.directory / "made").exists()
    terminal.type("q\r")
    terminal.until("turn interrupted")
    terminal.close()


def test_a_rejection_can_have_a_reason(workspace: Workspace) -> None:
    denied = {"expect": [{"call_id": "c1", "output_contains": "use mkdir"}], "stream": BYE}
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [RUN, denied]))
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until("q stop): ")
    terminal.type("e\r")
    terminal.until("reason, for the model: ")
    terminal.type("use mkdir\r")
    terminal.until("Bye now.")
    terminal.close()


def test_nothing_is_approved_before_it_was_shown_completely(workspace: Workspace) -> None:
    script = "".join(f"echo {number}\n" for number in range(450)) + "touch made"
    long = [sse.function_call("shell", {"command": ["bash", "-c", script]}, "c1"), sse.completed()]
    write(workspace, long, BYE)
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until(" more lines (v view, all view all")
    assert "echo 199" in terminal.screen
    assert "touch made" not in terminal.screen
    terminal.type("y\r")
    terminal.until_again(" more lines (v view, all view all")
    terminal.type("v\r")
    terminal.until_again(" more lines (v view, all view all")
    assert "touch made" not in terminal.screen
    terminal.type("v\r")
    terminal.until("touch made")
    terminal.until("? (y yes")
    terminal.type("y\r")
    terminal.until("Bye now.")
    assert (workspace.directory / "made").exists()
    terminal.close()


def test_ctrl_c_withdraws_a_question(workspace: Workspace) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until("q stop): ")
    terminal.type("\x03")
    terminal.until("turn interrupted")
    assert not (workspace.directory / "made").exists()
    terminal.close()


def test_no_row_of_a_resumed_session_begins_like_a_question(workspace: Workspace) -> None:
    write(workspace, [sse.message("a" * 38 + "? Run this command? " + "b" * 30), sse.completed()])
    assert workspace.run("exec", "go").returncode == 0
    terminal = Terminal(workspace, "resume", "--last", columns=40)
    terminal.until("\r\n> ")
    shown = terminal.screen.partition("ended with:")[2]
    assert "? Run this" in shown
    assert all(len(row) <= 40 and not row.startswith("?") for row in shown.split("\r\n"))
    terminal.close()


def test_a_question_is_shown_again_on_a_narrower_screen(workspace: Workspace) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go", columns=100)
    terminal.until("q stop): ")
    terminal.type("y")
    terminal.resize(60)
    terminal.until_again("q stop): ")
    assert "(discarded, because you did not press Enter: y)" in terminal.screen
    assert "?   $ touch made" in terminal.screen
    assert all(len(row) <= 60 for row in terminal.screen.split("\r\n"))
    terminal.resize(90)
    terminal.type("y\r")
    terminal.until("Bye now.")
    assert terminal.screen.count("q stop): ") == 1
    assert (workspace.directory / "made").exists()
    terminal.close()


def test_a_question_is_shown_again_when_the_program_continues_after_ctrl_z(workspace: Workspace) -> None:
    terminal = Terminal(workspace, "chat", "-a", "untrusted", "-s", "danger-full-access", "go")
    terminal.until("q stop): ")
    os.kill(terminal.pid, signal.SIGSTOP)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.until_again("q stop): ")
    assert "?   $ touch made" in terminal.screen
    terminal.type("n\r")
    terminal.until("Bye now.")
    terminal.close()
