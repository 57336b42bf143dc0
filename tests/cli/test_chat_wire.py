"""`code exec` with Chat Completions providers: keys, servers that are not running, and working without a network."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from process_hardening.processes import CAN_DROP_PRIVILEGES, UNPRIVILEGED
from support import ScriptedUpstream, chat_stream, reply
from support import chat_chunks as chat
from support.command import KEY, Workspace

FULL = "--dangerously-bypass-approvals-and-sandbox"
CHAT = ("-c", "model_providers.scripted.wire_api=chat")
ANSWER = chat_stream(chat.text("done"), chat.finish())

# What an unprivileged command of the same user can see of the engine, and whether its environment has the key.
INTRUDER = """
import os
parent = f"/proc/{os.getppid()}"
for name in ("mem", "environ"):
    try:
        open(f"{parent}/{name}", "rb").read(0 if name == "mem" else 1)
        print(name, "allowed")
    except PermissionError:
        print(name, "denied")
print(sum("KEY" in name for name in os.environ))
"""
ROOTS_LOOK = """
import os, sys
key = open(sys.argv[1], "rb").read()[::-1]
print("found", open(f"/proc/{os.getppid()}/environ", "rb").read().count(key))
"""


def far_away(workspace: Workspace, upstream: ScriptedUpstream) -> tuple[Workspace, tuple[str, ...]]:
    """Settings for a provider on another machine, reached through an HTTP proxy."""
    workspace.configure("http://models.example/v1")
    proxy = upstream.base_url.removesuffix("/v1")
    return replace(workspace, environment={**workspace.environment, "HTTP_PROXY": proxy}), CHAT


def shell_output(upstream: ScriptedUpstream) -> str:
    [message] = [message for message in upstream.requests[1].json["messages"] if message["role"] == "tool"]
    output: str = json.loads(message["content"])["output"]
    return output


@pytest.mark.skipif(
    sys.platform != "linux" or not CAN_DROP_PRIVILEGES,
    reason="needs Linux, and setpriv to do without root's power",
)
@pytest.mark.parametrize(("mode", "seen"), [("auto", "denied"), ("never", "allowed")])
def test_a_command_cannot_read_the_memory_of_the_engine_that_has_the_key(
    workspace: Workspace, upstream: ScriptedUpstream, mode: str, seen: str
) -> None:
    far, options = far_away(workspace, upstream)
    (workspace.home / "intruder.py").write_text(INTRUDER)
    intruder = [sys.executable, str(workspace.home / "intruder.py")]
    upstream.add(
        chat_stream(chat.call("shell", {"command": intruder}, "c1"), chat.finish("tool_calls")), ANSWER
    )
    done = far.run("exec", *options, "-c", f"key_isolation={mode}", FULL, "look", prefix=UNPRIVILEGED)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert shell_output(upstream) == f"mem {seen}\nenviron {seen}\n0\n"
    assert {request.headers["Authorization"] for request in upstream.requests} == {f"Bearer {KEY}"}


@pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="only root on Linux reads the environment"
)
@pytest.mark.parametrize(("mode", "copies"), [("auto", 0), ("never", 1)])
def test_the_key_is_removed_from_the_engines_environment(
    workspace: Workspace, upstream: ScriptedUpstream, mode: str, copies: int
) -> None:
    far, options = far_away(workspace, upstream)
    (workspace.home / "look.py").write_text(ROOTS_LOOK)
    (workspace.home / "yek").write_text(KEY[::-1])
    look = [sys.executable, str(workspace.home / "look.py"), str(workspace.home / "yek")]
    upstream.add(chat_stream(chat.call("shell", {"command": look}, "c1"), chat.finish("tool_calls")), ANSWER)
    done = far.run("exec", *options, "-c", f"key_isolation={mode}", FULL, "look")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert shell_output(upstream) == f"found {copies}\n"


def test_the_proxy_does_not_take_the_key_of_a_chat_provider(workspace: Workspace) -> None:
    workspace.configure("http://models.example/v1")
    done = workspace.run("exec", *CHAT, "-c", "key_isolation=always", "hi")
    assert done.returncode == 2
    assert 'key_isolation = "always" needs wire_api = "responses"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_recording_does_not_contain_the_key(
    workspace: Workspace, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    far, options = far_away(workspace, upstream)
    upstream.add(chat_stream(chat.text(f"the key is {KEY}"), chat.finish()), ANSWER)
    recording = tmp_path / "recording"
    recorded = replace(far, environment={**far.environment, "CODE_RECORD": str(recording), "MINE": KEY})
    done = recorded.run("exec", *options, "-c", "model_providers.scripted.env_key=MINE", "hi")
    assert done.returncode == 0, done.stderr
    assert KEY not in recording.read_text()
    again = replace(workspace, environment={**workspace.environment, "CODE_REPLAY": str(recording)})
    assert again.run("exec", "hi").stdout == "the key is [REDACTED]\n"


@pytest.mark.parametrize(
    ("provider", "advice"),
    [
        ("oss", "Start it with: ollama serve"),
        ("lmstudio", "Start it with: lms server start"),
        ("llamacpp", "Start it with: llama-server --jinja -m MODEL.gguf"),
        ("vllm", "Start it with: vllm serve MODEL"),
    ],
)
def test_a_local_server_that_is_not_running_is_one_line_with_advice(
    workspace: Workspace, provider: str, advice: str
) -> None:
    (workspace.home / "config.toml").write_text(
        f'model_provider = "{provider}"\nmodel = "m"\n[model_providers.{provider}]\nbase_url = "http://127.0.0.1:1/v1"\n'
    )
    done = workspace.run("exec", "hi")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if "cannot be reached" in line]
    assert advice in line
    assert "(http://127.0.0.1:1/v1)" in line


def test_a_local_server_is_asked_for_its_window(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    (workspace.home / "config.toml").write_text(
        'model_provider = "llamacpp"\nmodel = "m"\n'
        f'[model_providers.llamacpp]\nbase_url = "{upstream.base_url}"\n'
    )
    upstream.answers["/props"] = reply(200, body={"default_generation_settings": {"n_ctx": 4321}})
    upstream.add(chat_stream(chat.text("done"), chat.finish(), chat.usage()))
    done = workspace.run("exec", "--json", "hi")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line)["msg"] for line in done.stdout.splitlines()]
    [count] = [event for event in events if event["type"] == "token_count"]
    assert count["info"]["model_context_window"] == 4321


def test_the_history_is_compacted_when_a_local_servers_window_is_full(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    # github.com/aaif-goose/goose/issues/11318: the server says that it reached a limit, not which one.
    (workspace.home / "config.toml").write_text(
        f'model_provider = "oss"\nmodel = "m"\n[model_providers.oss]\nbase_url = "{upstream.base_url}"\n'
    )
    look = {"command": ["sh", "-c", "seq 5000"]}
    upstream.add(
        chat_stream(chat.call("shell", look, "c1"), chat.finish("tool_calls"), chat.usage(3_000, 20)),
        chat_stream(chat.role(), chat.finish("length"), chat.usage(4_095, 1)),
        chat_stream(chat.text("counted to 5000"), chat.finish(), chat.usage()),
        ANSWER,
    )
    done = workspace.run("exec", "-c", "model_context_window=100000", FULL, "count")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "counted to 5000" in upstream.requests[-1].body.decode()


# In a network namespace of its own, where only the loopback interface is brought up.
ALONE = r"""
import fcntl, json, os, socket, struct, subprocess, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
sys.path.insert(0, sys.argv[1])
from support import ScriptedUpstream, chat_stream, chat_chunks as chat
hook = '''
import sys
def note(event, arguments):
    if event == "socket.connect":
        open(%r, "a").write(f"{arguments[1]}\\n")
    elif event == "socket.getaddrinfo":
        open(%r, "a").write(f"{arguments[0]}\\n")
sys.addaudithook(note)
from code_cli.main import main
main()
''' % (sys.argv[2], sys.argv[2])
with ScriptedUpstream([chat_stream(chat.text("alone"), chat.finish())]) as upstream:
    port = upstream.base_url.split(":")[2].split("/")[0]
    done = subprocess.run([sys.executable, "-c", hook, "exec", "--oss", "-m", "m", "hi"], text=True,
                          env={**os.environ, "CODEX_OSS_PORT": port}, capture_output=True, timeout=60)
print(json.dumps([done.returncode, done.stdout, done.stderr]))
"""
UNSHARE = ["unshare", "--net"]


def _can_be_alone() -> bool:
    if sys.platform != "linux" or os.getuid() != 0:
        return False
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(
    not _can_be_alone(), reason="needs root on Linux, and unshare, for an empty network namespace"
)
def test_oss_needs_only_loopback(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.home / "config.toml").write_text("")
    noted = tmp_path / "noted"
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-c", ALONE, str(Path(__file__).parents[1]), str(noted)],
        cwd=workspace.directory,
        env=workspace.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, answer, errors = json.loads(done.stdout)
    assert (code, answer) == (0, "alone\n"), errors
    addresses = noted.read_text().splitlines()
    assert addresses
    for address in addresses:
        assert re.search(r"127\.0\.0\.1|localhost|'::1'|^/|^b?'/", address), address
