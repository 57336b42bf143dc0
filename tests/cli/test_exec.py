import json
import shutil
from itertools import pairwise

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import KEY, Workspace

PATCH = """\
*** Begin Patch
*** Add File: new.txt
+fresh
*** Update File: keep.txt
@@
-one
+two
*** Update File: move.txt
*** Move to: moved/here.txt
@@
-m
+M
*** Delete File: gone.txt
*** End Patch"""
FULL = "--dangerously-bypass-approvals-and-sandbox"


def types(stdout: str) -> list[str]:
    return [json.loads(line)["msg"]["type"] for line in stdout.splitlines()]


def script_a_whole_turn(upstream: ScriptedUpstream) -> None:
    plan = {"plan": [{"step": "look", "status": "completed"}, {"step": "patch", "status": "in_progress"}]}
    upstream.add(
        stream(
            sse.created(),
            sse.reasoning("thinking", "secret-blob"),
            sse.text_delta("Look"),
            sse.message("Looking."),
            sse.function_call("update_plan", plan, "plan-1"),
            sse.function_call(
                "shell", {"command": ["bash", "-lc", "echo out; echo err >&2; exit 3"]}, "shell-1"
            ),
            sse.completed(),
        ),
        stream(sse.created(), sse.custom_tool_call("apply_patch", PATCH, "patch-1"), sse.completed()),
        stream(sse.created(), sse.message("All done."), sse.completed()),
    )


def prepare(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url, 'model_reasoning_effort = "high"\nmodel_text_verbosity = "low"')
    for name, text in {"keep.txt": "one\n", "move.txt": "m\n", "gone.txt": "x\n"}.items():
        (workspace.directory / name).write_text(text)
    (workspace.directory / "AGENTS.md").write_text("Be kind.\n")


def test_a_whole_turn(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    prepare(workspace, upstream)
    script_a_whole_turn(upstream)
    done = workspace.run("exec", FULL, "change things")
    assert (done.returncode, done.stdout) == (0, "All done.\n"), done.stderr
    assert "\x1b" not in done.stderr
    upstream.assert_finished()
    found = {
        str(path.relative_to(workspace.directory)): path.read_text()
        for path in workspace.directory.rglob("*.txt")
    }
    assert found == {"new.txt": "fresh\n", "keep.txt": "two\n", "moved/here.txt": "M\n"}


def test_each_field_of_the_requests(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    prepare(workspace, upstream)
    script_a_whole_turn(upstream)
    assert workspace.run("exec", FULL, "change things").returncode == 0
    first, second, third = upstream.requests

    assert (first.path, first.query) == ("/v1/responses", {"version": "1"})
    headers = {name.lower(): value for name, value in first.headers.items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept"] == "text/event-stream"
    assert headers["content-type"] == "application/json"
    assert headers["openai-beta"] == "responses=experimental"
    assert headers["x-team"] == "blue"
    assert headers["originator"] == "code_py"
    assert headers["user-agent"].startswith("code_py/")
    conversation = headers["conversation_id"]
    assert headers["session_id"] == conversation

    body = first.json
    assert list(body) == [
        *(
            "model",
            "instructions",
            "input",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning",
            "store",
        ),
        *("stream", "include", "prompt_cache_key", "text"),
    ]
    assert body["model"] == "gpt-5-codex"
    assert body["instructions"].startswith("You are Code")
    assert [tool["name"] for tool in body["tools"]] == [
        "shell",
        "exec_command",
        "write_stdin",
        "apply_patch",
        "update_plan",
        "view_image",
    ]
    assert body["tools"][3]["type"] == "custom"
    assert body["tools"][3]["format"]["syntax"] == "lark"
    assert body["tool_choice"] == "auto"
    assert body["parallel_tool_calls"] is True
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert (body["store"], body["stream"]) == (False, True)
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["prompt_cache_key"] == conversation
    assert body["text"] == {"verbosity": "low"}
    environment, instructions, prompt = body["input"]
    assert f"<cwd>{workspace.directory}</cwd>" in environment["content"][0]["text"]
    assert "<sandbox_mode>danger-full-access</sandbox_mode>" in environment["content"][0]["text"]
    assert "Be kind." in instructions["content"][0]["text"]
    assert prompt == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "change things"}],
    }

    reasoning, commentary, plan, shell, plan_output, shell_output = second.json["input"][3:]
    assert reasoning == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "thinking"}],
        "encrypted_content": "secret-blob",
    }
    assert commentary["content"] == [{"type": "output_text", "text": "Looking."}]
    assert (plan["type"], plan["name"], shell["call_id"]) == ("function_call", "update_plan", "shell-1")
    assert plan_output == {"type": "function_call_output", "call_id": "plan-1", "output": "Plan updated"}
    result = json.loads(shell_output["output"])
    assert sorted(result["output"].split()) == ["err", "out"]
    assert result["metadata"]["exit_code"] == 3
    assert shell_output["call_id"] == "shell-1"

    call, output = third.json["input"][9:]
    assert call == {"type": "custom_tool_call", "name": "apply_patch", "call_id": "patch-1", "input": PATCH}
    assert output["type"] == "custom_tool_call_output"
    assert output["output"] == (
        "Success. Updated the following files:\nA new.txt\nM keep.txt\nM moved/here.txt\nD gone.txt"
    )


def test_each_request_begins_with_the_bytes_of_the_last(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    prepare(workspace, upstream)
    script_a_whole_turn(upstream)
    workspace.run("exec", FULL, "change things")
    bodies = [request.body for request in upstream.requests]
    for earlier, later in pairwise(bodies):
        prefix = earlier[: earlier.index(b'],"tools":')]
        assert later.startswith(prefix)


def test_json_gives_one_event_per_line(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    prepare(workspace, upstream)
    script_a_whole_turn(upstream)
    done = workspace.run("exec", FULL, "--json", "change things")
    kinds = types(done.stdout)
    assert kinds[:3] == ["session_configured", "task_started", "user_message"]
    assert kinds[-2:] == ["task_complete", "shutdown_complete"]
    for kind in ("agent_message_delta", "plan_update", "exec_command_begin", "exec_command_output_delta"):
        assert kind in kinds
    for kind in ("exec_command_end", "patch_apply_begin", "patch_apply_end", "turn_diff", "token_count"):
        assert kind in kinds
    sequences: dict[str, list[int]] = {}
    for event in map(json.loads, done.stdout.splitlines()):
        sequences.setdefault(event["id"], []).append(event["event_seq"])
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())


def test_the_prompt_comes_from_stdin_and_the_answer_goes_to_a_file(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.created(), sse.message("hi"), sse.completed()))
    done = workspace.run("exec", "-o", "answer.txt", "-", stdin="hello\n")
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert (workspace.directory / "answer.txt").read_text() == "hi\n"
    assert upstream.requests[0].json["input"][-1]["content"][0]["text"] == "hello\n"


def test_without_permission_nothing_runs_and_the_message_gives_advice(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": ["touch", "x"]}, "c1"), sse.completed()),
        stream(
            sse.created(),
            sse.custom_tool_call("apply_patch", PATCH.replace("gone", "x"), "c2"),
            sse.completed(),
        ),
        stream(sse.created(), sse.message("I may not."), sse.completed()),
    )
    (workspace.directory / "keep.txt").write_text("one\n")
    (workspace.directory / "move.txt").write_text("m\n")
    (workspace.directory / "x.txt").write_text("x\n")
    done = workspace.run("exec", "try")
    assert (done.returncode, done.stdout) == (0, "I may not.\n")
    assert "--full-auto allows" in done.stderr
    assert "command rejected by user" in upstream.requests[1].json["input"][-1]["output"]
    assert upstream.requests[2].json["input"][-1]["output"] == "patch rejected by user"
    assert not (workspace.directory / "x").exists()
    assert (workspace.directory / "keep.txt").read_text() == "one\n"


def test_full_auto_applies_only_patches_inside_the_workspace(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(
        upstream.base_url,
        "[sandbox_workspace_write]\nexclude_slash_tmp = true\nexclude_tmpdir_env_var = true",
    )
    (workspace.directory / "link").symlink_to(workspace.home)
    upstream.add(
        *(
            stream(
                sse.created(),
                sse.custom_tool_call(
                    "apply_patch", f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch", f"c{number}"
                ),
                sse.completed(),
            )
            for number, path in enumerate(["inside.txt", "../outside.txt", "link/outside.txt"])
        ),
        stream(sse.created(), sse.message("done"), sse.completed()),
    )
    assert workspace.run("exec", "--full-auto", "patch").returncode == 0
    assert (workspace.directory / "inside.txt").exists()
    assert not (workspace.directory.parent / "outside.txt").exists()
    assert not (workspace.home / "outside.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["exec"], "the prompt is empty"),
        (["exec", "-c", "nonsense", "hi"], "not of the form key=value"),
        (["exec", "-c", "approval_policy=sometimes", "hi"], "approval_policy is 'sometimes'"),
        (["exec", "-p", "absent", "hi"], "profile 'absent' is not in the settings file"),
        (["exec", "-C", "absent", "hi"], "is not a directory"),
        (["exec", "--output-schema", "absent", "hi"], "--output-schema absent cannot be read"),
        (["exec", "-c", "model_provider=other", "hi"], "model provider 'other' is not known"),
        (["exec", "--full-auto", "--dangerously-bypass-approvals-and-sandbox", "hi"], "cannot be combined"),
        (["exce", "hi"], "did you mean 'exec'?"),
    ],
)
def test_a_mistake_of_the_user_is_reported_in_one_clear_line(
    workspace: Workspace, upstream: ScriptedUpstream, arguments: list[str], expected: str
) -> None:
    workspace.configure(upstream.base_url)
    done = workspace.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert upstream.requests == []


def test_writing_needs_a_git_repository_or_an_option(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    shutil.rmtree(workspace.directory / ".git")
    done = workspace.run("exec", FULL, "hi")
    assert done.returncode == 2
    assert "--skip-git-repo-check" in done.stderr
    upstream.add(stream(sse.created(), sse.message("hi"), sse.completed()))
    assert workspace.run("exec", FULL, "--skip-git-repo-check", "hi").returncode == 0


def test_the_key_does_not_reach_commands(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url, "[shell_environment_policy]\nignore_default_excludes = true")
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": ["env"]}, "c1"), sse.completed()),
        stream(sse.created(), sse.message("done"), sse.completed()),
    )
    assert workspace.run("exec", FULL, "hi").returncode == 0
    output = upstream.requests[1].json["input"][-1]["output"]
    assert "PATH=" in output
    assert KEY not in output


def test_a_recorded_session_can_be_replayed_without_its_secrets(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    record = workspace.directory / "session.jsonl"
    workspace.environment["CODE_RECORD"] = str(record)
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": ["echo", KEY]}, "c1"), sse.completed()),
        stream(sse.created(), sse.text_delta("The "), sse.message("The end."), sse.completed()),
    )
    assert workspace.run("exec", FULL, "hi").stdout == "The end.\n"
    assert KEY not in record.read_text()
    assert record.stat().st_mode & 0o777 == 0o600
    del workspace.environment["CODE_RECORD"]
    workspace.environment["CODE_REPLAY"] = str(record)
    (workspace.home / "config.toml").unlink()
    replayed = workspace.run("exec", FULL, "something else")
    assert (replayed.returncode, replayed.stdout) == (0, "The end.\n"), replayed.stderr
    assert "[REDACTED]" in replayed.stderr
