"""Edge cases of a run: names and texts that are not Unicode, full disks, closed streams."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario

LONG = "n" * 5000


@pytest.fixture
def scripted(workspace: Workspace) -> Workspace:
    """A workspace whose model says `h\u00e9llo \u2603`."""
    responses = [[sse.message("h\u00e9llo \u2603"), sse.completed()]]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))
    return workspace


def test_characters_that_the_output_cannot_encode_are_escaped(scripted: Workspace) -> None:
    scripted.environment["PYTHONIOENCODING"] = "ascii"
    assert scripted.run("exec", "hi").stdout == "h\\xe9llo \\u2603\n"


def test_invalid_unicode_is_repaired_in_prompts_and_paths(scripted: Workspace) -> None:
    directory = os.fsencode(scripted.directory) + b"/d\xff"
    Path(os.fsdecode(directory)).mkdir()
    done = subprocess.run(
        [CODE, "exec", "--json", "--skip-git-repo-check", b"h\xff"],
        cwd=directory,
        env=scripted.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    events = [json.loads(line)["msg"] for line in done.stdout.splitlines()]
    assert events[0]["cwd"].endswith("/d\ufffd")
    user_message = next(event for event in events if event["type"] == "user_message")
    assert user_message["items"] == [{"type": "text", "text": "h\ufffd"}]


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["-C", LONG], {}, "is not a directory"),
        (["-C", "a\nb"], {}, "a\\nb' is not a directory"),
        (["-i", "a\nb.png"], {}, "the image a\\nb.png cannot be read"),
        (["-o", "a\nb/c"], {}, "a\\nb/c cannot be written"),
        (["-c", "experimental_instructions_file=a\nb"], {}, "'a\\nb' cannot be read"),
        ([], {"CODE_HOME": LONG}, "is not a directory"),
        (["-c", 'experimental_instructions_file="a\\u0000b"'], {}, "cannot be read: embedded null byte"),
        (["-c", 'replay_scenario="a\\u0000b"'], {"CODE_REPLAY": ""}, "cannot be read: embedded null byte"),
        (["--output-schema", LONG], {}, "cannot be read: File name too long"),
    ],
)
def test_an_impossible_path_is_reported_in_one_line(
    scripted: Workspace, arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    scripted.environment.update(environment)
    done = scripted.run("exec", *arguments, "hi")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert len(done.stderr) < 1_100
    assert expected in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["exec", "--json", "hi"],
        ["exec", "hi"],
        ["--help"],
        ["--version"],
        ["config", "schema"],
        ["mcp", "list"],
    ],
)
def test_a_full_output_is_reported_in_one_line(scripted: Workspace, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [CODE, *arguments],
            cwd=scripted.directory,
            env=scripted.environment,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1] == "code: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "reason"), [(".", "is a directory: name a file"), ("no/answer", "/no is not a directory")]
)
def test_an_unwritable_file_for_the_answer_stops_the_run_before_the_model_is_asked(
    scripted: Workspace, name: str, reason: str
) -> None:
    done = scripted.run("exec", "-o", str(scripted.directory / name), "hi")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert reason in done.stderr


def test_a_message_that_could_not_be_saved_is_a_failure(scripted: Workspace) -> None:
    done = scripted.run("exec", "-o", "/dev/full", "hi")
    assert done.returncode == 1
    assert "/dev/full cannot be written: No space left on device" in done.stderr
    assert done.stdout
