"""Where the prompt of `code exec` comes from."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario


@pytest.fixture
def scripted(workspace: Workspace) -> Workspace:
    responses = [[sse.message("done"), sse.completed()]]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))
    return workspace


def run(workspace: Workspace, *arguments: str, data: bytes | int) -> subprocess.CompletedProcess[bytes]:
    with subprocess.Popen(
        [CODE, "exec", "--json", *arguments],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.PIPE if isinstance(data, bytes) else data,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdout, stderr = process.communicate(data if isinstance(data, bytes) else None, timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def prompt_in(output: bytes) -> str:
    messages = [json.loads(line)["msg"] for line in output.splitlines()]
    items = next(message["items"] for message in messages if message["type"] == "user_message")
    return str(items[-1]["text"])


def test_piped_input_follows_the_prompt(scripted: Workspace) -> None:
    done = run(scripted, "review", data=b"+ a line\n- another\n")
    assert prompt_in(done.stdout) == "review\n\n<stdin>\n+ a line\n- another\n</stdin>"
    assert done.stderr == b""


def test_input_from_a_file_follows_the_prompt(scripted: Workspace, tmp_path: Path) -> None:
    (tmp_path / "diff").write_text("+ x\n")
    with (tmp_path / "diff").open("rb") as file:
        assert prompt_in(run(scripted, "review", data=file.fileno()).stdout).endswith(
            "<stdin>\n+ x\n</stdin>"
        )


@pytest.mark.parametrize("data", [b"", b" \n\n", subprocess.DEVNULL], ids=["empty", "blank", "null device"])
def test_empty_input_does_not_change_the_prompt(scripted: Workspace, data: bytes | int) -> None:
    assert prompt_in(run(scripted, "review", data=data).stdout) == "review"


def test_an_open_pipe_without_a_writer_does_not_delay_the_prompt(scripted: Workspace) -> None:
    reading, writing = os.pipe()
    try:
        started = time.monotonic()
        done = run(scripted, "review", data=reading)
        took = time.monotonic() - started
    finally:
        os.close(reading)
        os.close(writing)
    assert prompt_in(done.stdout) == "review"
    assert b"standard input was silent" in done.stderr
    assert took > 9


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfgr\xc3\xb6\xc3\x9fe",
        "\ufeffgröße".encode("utf-16-le"),
        "\ufeffgröße".encode("utf-16-be"),
        "\ufeffgröße".encode("utf-32-le"),
        "\ufeffgröße".encode("utf-32-be"),
    ],
    ids=["UTF-8", "UTF-16 LE", "UTF-16 BE", "UTF-32 LE", "UTF-32 BE"],
)
def test_a_byte_order_mark_determines_the_encoding(scripted: Workspace, data: bytes) -> None:
    assert prompt_in(run(scripted, "-", data=data).stdout) == "größe"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("größe".encode("latin-1"), b"standard input is not UTF-8 (byte 2)"),
        (b"\xff\xfea", b"standard input is not UTF-16-LE (byte 2)"),
        ("hello".encode("utf-16-le"), b"standard input contains NUL characters"),
        ("hello".encode("utf-16-be"), b"standard input contains NUL characters"),
        (b"a.txt\0b.txt\0", b"standard input contains NUL characters"),
        (b"x" * (8 * 2**20 + 1), b"larger than 8 MiB"),
        (b" \n", b"the prompt is empty"),
    ],
)
@pytest.mark.parametrize("prompt", [("-",), ("review",)], ids=["alone", "beside a prompt"])
def test_binary_input_is_rejected(
    scripted: Workspace, data: bytes, problem: bytes, prompt: tuple[str, ...]
) -> None:
    if prompt == ("review",) and problem == b"the prompt is empty":
        return
    done = run(scripted, *prompt, data=data)
    assert (done.returncode, done.stdout) == (2, b"")
    assert problem in done.stderr


@pytest.mark.parametrize("command", [["exec", "--json"], ["exec", "resume", "--last", "--json"]])
def test_a_prompt_is_read_as_utf_8_in_an_ascii_locale(scripted: Workspace, command: list[str]) -> None:
    responses = [[sse.message("done"), sse.completed()]] * 2
    scripted.environment["CODE_REPLAY"] = str(write_scenario(scripted.home, responses))
    assert scripted.run("exec", "first").returncode == 0
    scripted.environment.update({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    done = scripted.run(*command, "größe \u2603")
    assert prompt_in(done.stdout.encode()) == "größe \u2603"


def test_the_chat_reads_its_first_prompt_as_utf_8_in_an_ascii_locale(scripted: Workspace) -> None:
    scripted.environment.update({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert scripted.run("chat", "größe").returncode == 0
    [record] = (scripted.home / "sessions").rglob("rollout-*.jsonl")
    assert json.dumps("größe")[1:-1] in record.read_text() or "größe" in record.read_text()
