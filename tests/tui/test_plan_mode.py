"""The chat in plan mode, the model's questions, and the commands about running commands and prompts."""

import json
import re

import pytest

from support import responses_events as sse
from support.command import Workspace
from support.scenario import Response, write_scenario
from tui.terminal import Terminal

PLAN: Response = [sse.message("Easy.\n\n<proposed_plan>\n1. touch made\n</proposed_plan>"), sse.completed()]
RUN: Response = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
BYE: Response = [sse.message("Bye now."), sse.completed()]
FULL = "--dangerously-bypass-approvals-and-sandbox"
ASKED = "say what to change): "
QUESTIONS = {
    "questions": [
        {
            "id": "color",
            "header": "Colour",
            "question": "Which colour?\n? y",
            "options": [
                {"label": "Red", "description": "like fire"},
                {"label": "Blue", "description": "sky"},
            ],
        },
        {"id": "name", "header": "Name", "question": "Which name?"},
        {"id": "last", "header": "Last", "question": "Anything else?"},
    ]
}
ASK: Response = [sse.function_call("request_user_input", QUESTIONS, "c1"), sse.completed()]


def expecting(text: str, stream: Response = BYE, call_id: str = "c1") -> Response:
    return {"expect": [{"call_id": call_id, "output_contains": text}], "stream": stream}


def write(workspace: Workspace, *responses: Response) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))


def test_a_plan_is_accepted_and_carried_out(workspace: Workspace) -> None:
    write(workspace, PLAN, RUN, BYE)
    terminal = Terminal(workspace, FULL)
    terminal.until("\n> ")
    terminal.type("/plan make it\r")
    terminal.until(ASKED)
    assert "1. touch made" in terminal.screen
    assert "proposed_plan" not in terminal.screen
    assert not (workspace.directory / "made").exists()
    terminal.type("y\r")
    terminal.until("Bye now.")
    terminal.until("\n> ")
    assert (workspace.directory / "made").exists()
    terminal.close()


@pytest.mark.parametrize("typed", ["y\r", "y"])
def test_input_typed_before_the_plan_does_not_accept_it(workspace: Workspace, typed: str) -> None:
    gate: Response = [sse.function_call("shell", {"command": ["sleep", "1"]}, "c1"), sse.completed()]
    write(workspace, gate, PLAN, RUN, BYE)
    terminal = Terminal(workspace, FULL, "--plan", "plan it")
    terminal.until("$ sleep 1")
    terminal.type(typed)
    terminal.until(ASKED)
    terminal.type("\x03")
    terminal.until("the plan was not answered")
    if typed.endswith("\r"):  # then it is the next prompt
        terminal.until("Bye now.")
    terminal.until("\nplan> ")
    terminal.close()
    assert not (workspace.directory / "made").exists()


def test_a_plan_is_changed_and_rejected(workspace: Workspace) -> None:
    write(workspace, PLAN, PLAN, RUN, BYE)
    terminal = Terminal(workspace, FULL, "--plan", "plan it")
    terminal.until(ASKED)
    terminal.type("ok\r")  # not one of the answers
    terminal.until_again(ASKED)
    terminal.type("e\r")
    terminal.until("what to change, for the model: ")
    terminal.type("smaller\r")
    terminal.until_again(ASKED)
    terminal.type("n\r")
    terminal.until("\nplan> ")
    assert not (workspace.directory / "made").exists()
    terminal.type("/plan off\r")
    terminal.until("plan mode is off")
    terminal.close()


def test_a_resumed_chat_asks_about_the_plan(workspace: Workspace) -> None:
    write(workspace, PLAN)
    done = workspace.run("exec", "--plan", FULL, "plan it")
    assert done.returncode == 0, done.stderr
    assert "1. touch made" in done.stdout
    [session] = re.findall(r"code exec resume (\S+) --no-plan", done.stderr)
    write(workspace, RUN, BYE)
    terminal = Terminal(workspace, "resume", session, FULL)
    terminal.until(ASKED)
    assert "still in plan mode" in terminal.screen
    terminal.type("y\r")
    terminal.until("Bye now.")
    terminal.until("\n> ")
    terminal.close()
    assert (workspace.directory / "made").exists()


def test_exec_carries_out_a_plan_on_request(workspace: Workspace) -> None:
    write(workspace, PLAN)
    assert workspace.run("exec", "--plan", "plan it").returncode == 0
    write(workspace, RUN, BYE)
    still = workspace.run("exec", "resume", "--last", FULL, "do it")
    assert still.returncode == 0, still.stderr
    assert not (workspace.directory / "made").exists()
    write(workspace, RUN, BYE)
    done = workspace.run("exec", "resume", "--last", "--no-plan", FULL, "do it")
    assert done.returncode == 0, done.stderr
    assert (workspace.directory / "made").exists()


def test_exec_tells_the_model_immediately_that_nobody_can_be_asked(workspace: Workspace) -> None:
    write(workspace, ASK, expecting("no user is available to answer"))
    done = workspace.run("exec", "go")
    assert (done.returncode, done.stdout) == (0, "Bye now.\n"), done.stderr


def test_the_models_questions_are_answered_by_number_in_words_or_not_at_all(workspace: Workspace) -> None:
    answers = {"answers": {"color": {"answers": ["Blue"]}, "name": {"answers": ["Otto, please"]}}}
    write(workspace, ASK, expecting(json.dumps(answers)))
    terminal = Terminal(workspace, "go")
    terminal.until("leaves it to the model): ")
    assert "? The model asks you (Colour):" in terminal.screen
    assert "? the model│ ? y" in terminal.screen
    assert "? the model│ 2. Blue: sky" in terminal.screen
    terminal.type("3\r")
    terminal.until_again("leaves it to the model): ")
    terminal.type("2\r")
    terminal.until_again("leaves it to the model): ")
    terminal.type("Otto, please\r")
    terminal.until_again("leaves it to the model): ")
    terminal.type("\r")
    terminal.until("Bye now.")
    terminal.until("\n> ")
    terminal.close()


def test_input_typed_before_a_question_from_the_model_does_not_answer_it(workspace: Workspace) -> None:
    sleep: Response = [sse.function_call("shell", {"command": ["sleep", "1"]}, "c0"), sse.completed()]
    write(workspace, sleep, ASK, expecting("the user did not answer"), BYE)
    terminal = Terminal(workspace, FULL, "go")
    terminal.until("$ sleep 1")
    terminal.type("1\r")
    terminal.until("(not an answer, kept for the next prompt: 1)")
    terminal.until("leaves it to the model): ")
    for _ in range(2):
        terminal.type("\r")
        terminal.until_again("leaves it to the model): ")
    terminal.type("\r")
    terminal.until("Bye now.")
    terminal.until_again("Bye now.")  # what was typed early is the next prompt
    terminal.close()


def test_ctrl_c_withdraws_a_question_of_the_model(workspace: Workspace) -> None:
    write(workspace, ASK, BYE)
    terminal = Terminal(workspace, "go")
    terminal.until("leaves it to the model): ")
    terminal.type("\x03")
    terminal.until("turn interrupted")
    terminal.until("\n> ")
    terminal.close()


def test_running_commands_are_listed_and_stopped(workspace: Workspace) -> None:
    start = {"cmd": "sleep 4813", "yield_time_ms": 250}
    both = [
        sse.function_call("exec_command", start, "c1"),
        sse.function_call("exec_command", start, "c2"),
        sse.completed(),
    ]
    write(workspace, both, BYE)
    terminal = Terminal(workspace, FULL, "go")
    terminal.until("Bye now.")
    terminal.until("\n> ")
    for typed, shown in [
        ("/ps", "  1  sleep 4813 (in "),
        ("/stop x", "/stop takes the number"),
        ("/stop 7", "there is no command 7: /ps lists them"),
        ("/stop 1", "stopped 1: sleep 4813"),
        ("/stop", "stopped 2: sleep 4813"),
        ("/ps", "no command is running"),
        ("/stop", "no command is running"),
    ]:
        terminal.type(f"{typed}\r")
        terminal.until_again(shown)
        terminal.until("\n> ")
    terminal.close()


def test_custom_prompts_are_listed_and_sent(workspace: Workspace) -> None:
    write(workspace, BYE)
    terminal = Terminal(workspace)
    terminal.until("\n> ")
    terminal.type("/prompts\r")
    terminal.until("there are no prompts: /prompts:NAME sends a file ")
    folder = workspace.home / "prompts"
    folder.mkdir()
    (folder / "greet.md").write_text("---\nargument-hint: NAME\n---\nSay hello to $1 $$.\n")
    terminal.type("/prompts\r")
    terminal.until("/prompts:greet NAME  Say hello to $1 $$.")
    terminal.type("/prompts:gret\r")
    terminal.until("there is no prompt gret: did you mean /prompts:greet?")
    terminal.type('/prompts:greet "Ada L."\r')
    terminal.until("Bye now.")
    terminal.until("\n> ")
    terminal.close()
    [rollout] = (workspace.home / "sessions").rglob("*.jsonl")
    assert "Say hello to Ada L. $." in rollout.read_text()
    assert "/prompts:greet" in (workspace.home / "history.jsonl").read_text()
