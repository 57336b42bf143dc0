"""Sessions on the command line."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.store.samples import assistant, items, user, write_rollout
from support import ScriptedUpstream, reply, stream
from support import responses_events as sse
from support.command import Workspace
from tui.terminal import Terminal

FULL = "--dangerously-bypass-approvals-and-sandbox"
ROLLOUTS = Path(__file__).parents[1] / "core" / "store" / "rollouts"


@pytest.fixture(autouse=True)
def configured(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)


def text_reply(text: str) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed())


def runs(*command: str, call_id: str = "c1") -> Any:
    return stream(
        sse.created(), sse.function_call("shell", {"command": [*command]}, call_id), sse.completed()
    )


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def sessions(workspace: Workspace, *arguments: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(ok(workspace.run("sessions", "list", "--json", *arguments)))[
        "sessions"
    ]
    return listed


def inputs(upstream: ScriptedUpstream) -> list[list[Any]]:
    return [request.json["input"] for request in upstream.requests]


def test_exec_resume_continues_with_the_same_prefix(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    upstream.add(text_reply("one"), text_reply("two"), text_reply("three"))
    ok(workspace.run("exec", "first"))
    assert ok(workspace.run("exec", "resume", "--last", "second")) == "two\n"
    (session,) = sessions(workspace)
    assert (session["preview"], session["source"]) == ("first", "exec")
    assert ok(workspace.run("exec", "resume", session["id"][:8], "-", stdin="third")) == "three\n"
    first, second, third = inputs(upstream)
    assert second[: len(first)] == first
    assert third[: len(second)] == second
    assert len(third) == len(first) + 4
    keys = {request.json["prompt_cache_key"] for request in upstream.requests}
    assert keys == {session["id"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("exec", "resume"), "name a session"),
        (("exec", "resume", "--all", "hi"), "--all needs --last"),
        (("exec", "--last", "hi"), "are options of code exec resume"),
        (("--continue",), "code resume --last"),
        (("exec", "one", "two"), "unexpected extra argument"),
        (("resume",), "name a session"),
        (("fork", "a", "b", "c"), "put quotes around"),
        (("undo", "a", "b"), "name one session"),
        (("sessions", "delete"), "Missing argument"),
    ],
)
def test_mistakes_on_the_command_line_are_reported_in_one_line(
    workspace: Workspace, arguments: tuple[str, ...], message: str
) -> None:
    done = workspace.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "resume", "no such", "hi"),
        ("resume", "c58"),
        ("resume", "/etc/passwd"),
        ("exec", "resume", "--last", "hi"),
        ("resume", "--last"),
        ("undo",),
        ("sessions", "show", "deadbeef"),
        ("sessions", "archive", "x"),
        ("sessions", "list", "--cursor", "nonsense"),
    ],
)
def test_an_unknown_session_is_reported_in_one_line(workspace: Workspace, arguments: tuple[str, ...]) -> None:
    done = workspace.run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("code: ")
    assert done.stderr.count("\n") == 1


def test_a_session_that_begins_with_a_huge_prompt_is_listed(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    upstream.add(text_reply("short"), text_reply("long"), text_reply("and so on"))
    ok(workspace.run("exec", "hi"))
    ok(workspace.run("exec", "-", stdin="It was on a dreary night of November. " * 60_000))
    assert [one["preview"][:10] for one in sessions(workspace)] == ["It was on ", "hi"]
    ok(workspace.run("exec", "-c", "model_context_window=2000000", "resume", "--last", "and then?"))
    assert "dreary" in json.dumps(inputs(upstream)[-1])


def test_a_killed_session_can_be_continued(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    upstream.add(
        runs("true"), runs("bash", "-c", "touch started; sleep 60", call_id="c2"), text_reply("fine")
    )
    process = workspace.start("exec", FULL, "--json", "go")
    started = workspace.directory / "started"
    deadline = time.monotonic() + 20
    while not started.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = workspace.run("exec", FULL, "resume", "--last", "go on")
    assert ok(done) == "fine\n"
    assert done.stderr.count("1 tool call without a result counts as aborted") == 1
    before, after = inputs(upstream)[1:]
    assert after[: len(before)] == before
    call, output, note, prompt = after[len(before) :]
    assert (call["call_id"], output["call_id"], output["output"]) == ("c2", "c2", "aborted")
    assert "The turn above was cut off" in json.dumps(note)
    assert "go on" in json.dumps(prompt)
    upstream.add(text_reply("again"))
    assert "did not end" not in workspace.run("exec", FULL, "resume", "--last", "once more").stderr
    assert json.dumps(inputs(upstream)[-1]).count("was cut off") == 1


def test_an_open_session_is_refused_with_the_name_of_its_holder(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    upstream.add(runs("bash", "-c", "touch started; sleep 60"), text_reply("copied"))
    process = workspace.start("exec", FULL, "go")
    started = workspace.directory / "started"
    deadline = time.monotonic() + 20
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    try:
        (session,) = sessions(workspace)
        for arguments in (
            ("exec", "resume", "--last", "hi"),
            ("resume", session["id"]),
            ("undo",),
            ("sessions", "delete", "--yes", session["id"]),
            ("sessions", "archive", session["id"]),
        ):
            done = workspace.run(*arguments)
            assert done.returncode == 1
            assert f"is open in process {process.pid}, since " in done.stderr
            assert f"code fork {session['id']}" in done.stderr
            assert done.stderr.count("\n") == 1
        assert f"open in process {process.pid}" in ok(workspace.run("sessions", "show", session["id"]))
        forked = workspace.run("fork", "--last", "hi", stdin="/quit\n")
        assert "copied" in ok(forked)
        assert {one["forked_from"] for one in sessions(workspace)} == {"", session["id"]}
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    upstream.add(text_reply("taken over"))
    assert ok(workspace.run("exec", "resume", session["id"], "hi")) == "taken over\n"


@pytest.mark.parametrize("name", sorted(folder.name for folder in ROLLOUTS.iterdir()))
def test_sessions_of_codex_and_of_the_fork_are_listed_shown_and_resumed(
    workspace: Workspace, upstream: ScriptedUpstream, name: str
) -> None:
    (source,) = (ROLLOUTS / name).iterdir()
    folder = workspace.home / "sessions" / "2026" / "11" / "25"
    folder.mkdir(parents=True)
    path = Path(shutil.copy(source, folder))
    path.chmod(0o600)
    before = path.read_bytes()
    (session,) = sessions(workspace)
    assert "[user]" in ok(workspace.run("sessions", "show", session["id"]))
    upstream.add(text_reply("goes on"))
    done = workspace.run("exec", "resume", session["id"], "and now?", "-C", str(workspace.directory))
    assert ok(done) == "goes on\n"
    assert path.read_bytes().startswith(before)  # unknown lines are what they were
    assert upstream.unexpected == []
    assert len(inputs(upstream)[0]) > 2


def test_sessions_are_named_archived_found_and_deleted(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    upstream.add(text_reply("one"), text_reply("two"))
    ok(workspace.run("exec", "fix the \x1b[31mparser"))
    ok(workspace.run("exec", "write docs"))
    docs, parser = sessions(workspace)
    shown = ok(workspace.run("sessions", "list"))
    assert shown.index("write docs") < shown.index("fix the")
    assert "\x1b" not in shown
    assert sessions(workspace, "PARSER") == [parser]
    assert sessions(workspace, "-C", ".") == [docs, parser]
    assert sessions(workspace, "-C", "/") == []
    assert "renamed to my parser" in ok(workspace.run("sessions", "rename", parser["id"], "my  parser"))
    assert sessions(workspace, "my p")[0]["name"] == "my parser"
    ok(workspace.run("sessions", "archive", "my parser"))
    assert [one["id"] for one in sessions(workspace)] == [docs["id"]]
    assert [one["id"] for one in sessions(workspace, "--archived")] == [parser["id"]]
    ok(workspace.run("sessions", "unarchive", "my parser"))
    refused = workspace.run("sessions", "delete", "my parser")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    ok(workspace.run("sessions", "delete", "my parser", "--yes"))
    assert [one["id"] for one in sessions(workspace)] == [docs["id"]]
    page = json.loads(ok(workspace.run("sessions", "show", "--json", docs["id"])))
    assert [(one["kind"], one["text"]) for one in page["blocks"]] == [
        ("user", "write docs"),
        ("assistant", "two"),
    ]


def test_undo_and_redo_without_a_model(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    kept, made = workspace.directory / "kept", workspace.directory / "made"
    kept.write_text("old")
    upstream.add(runs("bash", "-c", "echo new > kept; echo x > made"), text_reply("done"), text_reply("ok"))
    ok(workspace.run("exec", FULL, "go"))
    requests = len(upstream.requests)
    assert "undid changes to 2 files (go)" in ok(workspace.run("undo"))
    assert (kept.read_text(), made.exists()) == ("old", False)
    again = workspace.run("undo")
    assert (again.returncode, "nothing to undo" in again.stderr) == (1, True)
    kept.write_text("mine")
    shown = ok(workspace.run("redo", "--last"))
    assert "redid changes to 1 file (go)" in shown
    assert f"left alone: {kept}: it has changed since" in shown
    assert (kept.read_text(), made.read_text()) == ("mine", "x\n")
    assert len(upstream.requests) == requests
    ok(workspace.run("exec", "resume", "--last", "what now?"))
    assert json.dumps(inputs(upstream)[-1]).count("<files_restored>") == 2


def test_undo_in_another_directory_works_as_its_error_advises(
    workspace: Workspace, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.add(runs("bash", "-c", "echo x > made"), text_reply("done"))
    ok(workspace.run("exec", FULL, "go"))
    elsewhere = replace(workspace, directory=tmp_path)
    refused = elsewhere.run("undo")
    assert (refused.returncode, "use --all for other directories" in refused.stderr) == (1, True)
    assert "undid changes to 1 file (go)" in ok(elsewhere.run("undo", "--all"))
    assert "redid changes to 1 file (go)" in ok(elsewhere.run("redo", "--all"))


def test_the_chat_switches_sessions_and_undoes(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    upstream.add(
        text_reply("one"),
        runs("bash", "-c", "echo x > made"),
        text_reply("two"),
        text_reply("forked"),
        text_reply("back again"),
    )
    ok(workspace.run("exec", "the first"))
    (first,) = sessions(workspace)
    typed = [
        "begin",
        "/status",
        "/undo",
        "/nonsense",
        "/fork 1",
        "more",
        "/fork x",
        "/resume nothing",
        f"/resume {first['id']}",
        "the last",
        "/help",
        "/quit",
        "never read",
    ]
    shown = ok(workspace.run("chat", FULL, stdin="".join(f"{line}\n" for line in typed)))
    assert "sandbox:    danger-full-access" in shown
    assert "undid changes to 1 file\n" in shown
    assert not (workspace.directory / "made").exists()
    assert "there is no command /nonsense" in shown
    assert "takes a number" in shown
    assert "no session has the id or name 'nothing'" in shown
    assert "the session ended with:\n| the first\n| one\n" in shown
    assert "/resume [SESSION]" in shown
    sent = [json.dumps(one) for one in inputs(upstream)]
    assert '"more"' in sent[3]
    assert "begin" not in sent[3]
    assert "the first" in sent[4]
    assert len(sent) == 5
    upstream.assert_finished()


def test_the_chat_compacts_a_conversation(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    upstream.add(text_reply("a long answer"), text_reply("what was said"), text_reply("two"))
    shown = ok(workspace.run("chat", stdin="/compact\nbegin\n/compact\nmore\n/quit\n"))
    assert "there is nothing to compact yet" in shown
    assert re.search(r"\ncompacted the conversation: about [\d,]+ tokens before, [\d,]+ now\n", shown)
    last = json.dumps(inputs(upstream)[2])
    assert "what was said" in last
    upstream.assert_finished()


def test_resume_without_a_session_lets_the_user_choose(workspace: Workspace) -> None:
    elsewhere = workspace.directory.parent / "elsewhere"
    elsewhere.mkdir()
    for number, directory, words, answer in (
        (1, workspace.directory, "the first", "one"),
        (2, workspace.directory, "the \x1b[31msecond", "two"),
        (3, elsewhere, "far away", "three"),
    ):
        path = write_rollout(
            workspace.home,
            items(user(words), assistant(answer)),
            f"{number:08}-2222-4333-8444-555555555555",
            cwd=str(directory),
            git={"branch": "main"},
        )
        os.utime(path, (time.time() - 10 + number, time.time() - 10 + number))

    terminal = Terminal(workspace, "resume")
    terminal.until("Session [1-2, Enter for 1, q to leave]: ")
    assert "far away" not in terminal.screen
    assert "\x1b[31m" not in terminal.screen
    assert "(main)" in terminal.screen
    terminal.type("7\n")
    terminal.until("'7' is not a number from 1 to 2")
    terminal.type("2\n")
    terminal.until("| the first\r\n| one\r\n\r\n> ")
    terminal.close()

    terminal = Terminal(workspace, "fork", "--all")
    terminal.until("Session [1-3, Enter for 1, q to leave]: ")
    assert str(elsewhere) in terminal.screen
    terminal.type("\n")
    terminal.until("| far away\r\n| three\r\n\r\n> ")
    terminal.close()

    for leave in ("q\n", "\x04"):
        terminal = Terminal(workspace, "resume")
        terminal.until("q to leave]: ")
        terminal.type(leave)
        assert terminal.wait() == 1
    terminal = Terminal(workspace, "resume", "-C", "/")
    terminal.until("no sessions yet in /: use --all for other directories")
    assert terminal.wait() == 1


def test_an_unwritable_home(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    (workspace.home / "locks").write_text("not a directory")
    done = workspace.run("exec", "go")
    assert done.returncode == 1
    assert "--ephemeral" in done.stderr
    assert done.stderr.count("\n") == 1
    (workspace.home / "locks").unlink()
    (workspace.home / "sessions").write_text("not a directory")
    done = workspace.run("exec", "go")
    assert done.returncode == 1
    assert "cannot write the session" in done.stderr
    assert upstream.requests == []
    upstream.add(text_reply("not recorded"))
    assert ok(workspace.run("exec", "--ephemeral", "go")) == "not recorded\n"


def test_sessions_work_without_a_writable_index(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    upstream.add(text_reply("one"), text_reply("two"))
    (workspace.home / "sessions-1.sqlite").mkdir()
    ok(workspace.run("exec", "go"))
    assert len(sessions(workspace)) == 1
    assert ok(workspace.run("exec", "resume", "--last", "on")) == "two\n"


def test_a_refused_request_can_be_repeated(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    upstream.add(reply(400, body={"error": {"message": "not today"}}), text_reply("fine"))
    assert workspace.run("exec", "go").returncode == 1
    assert ok(workspace.run("exec", "resume", "--last", "again")) == "fine\n"
