"""`code exec --plan`: people and files get the plan without its tags; events keep the message of the model."""

import json

import pytest

from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

PROPOSAL = "Easy.\n\n<proposed_plan>\n1. touch made\n</proposed_plan>"
SHOWN = "Easy.\n\n1. touch made\n"


@pytest.fixture
def planning(workspace: Workspace) -> Workspace:
    scenario = write_scenario(workspace.home, [[sse.message(PROPOSAL), sse.completed()]])
    workspace.environment["CODE_REPLAY"] = str(scenario)
    return workspace


def test_the_plan_is_printed_and_written_without_its_tags(planning: Workspace) -> None:
    ran = planning.run("exec", "--plan", "-o", "answer.md", "make it")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == SHOWN + "\n"
    assert (planning.directory / "answer.md").read_text() == SHOWN + "\n"
    assert "proposed_plan" not in ran.stderr
    assert "--no-plan" in ran.stderr


def test_events_contain_the_original_message(planning: Workspace) -> None:
    ran = planning.run("exec", "--plan", "--json", "make it")
    messages = [json.loads(line)["msg"] for line in ran.stdout.splitlines()]
    [message] = [one for one in messages if one["type"] == "agent_message"]
    assert message["message"] == PROPOSAL
