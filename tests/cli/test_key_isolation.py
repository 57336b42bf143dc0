"""The key in a separate process: what commands and the engine can see of it, and how that process ends."""

import json
import os
import re
import signal
import socket
import sys
import threading
from pathlib import Path

import psutil
import pytest

from process_hardening.processes import CAN_DROP_PRIVILEGES, UNPRIVILEGED
from support import ScriptedUpstream, pause, reply, stream
from support import responses_events as sse
from support.command import KEY, Workspace

FULL = "--dangerously-bypass-approvals-and-sandbox"
ALWAYS = ("-c", "key_isolation=always")

# Looks for the key, which it reads backwards from a file, in the memory and the environment of its parent.
SPY = """
import os, sys
key = open(sys.argv[1], "rb").read()[::-1]
parent = f"/proc/{os.getppid()}"
found = open(f"{parent}/environ", "rb").read().count(key)
with open(f"{parent}/maps") as maps, open(f"{parent}/mem", "rb", buffering=0) as memory:
    for line in maps:
        extent, permissions = line.split()[:2]
        if permissions.startswith("r") and "[v" not in line:
            start, end = (int(part, 16) for part in extent.split("-"))
            memory.seek(start)
            found += memory.read(end - start).count(key)
print(f"found {found} in {len(os.environ)} variables, own {sum(key in os.fsencode(v) for v in os.environ.values())}")
"""


def proxies(parent: int) -> list[psutil.Process]:
    children = psutil.Process(parent).children()
    return [child for child in children if "code_responses_api_proxy" in child.cmdline()]


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root on Linux reads the memory")
@pytest.mark.parametrize(("mode", "copies"), [("always", "found 0 in"), ("never", "found [1-9][0-9]* in")])
def test_the_request_contains_the_key_and_the_engine_does_not(
    workspace: Workspace, upstream: ScriptedUpstream, mode: str, copies: str
) -> None:
    workspace.configure(upstream.base_url)
    (workspace.home / "yek").write_text(KEY[::-1])
    (workspace.home / "spy.py").write_text(SPY)
    spy = [sys.executable, str(workspace.home / "spy.py"), str(workspace.home / "yek")]
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": spy}, "c1"), sse.completed()),
        stream(sse.created(), sse.message("done"), sse.completed()),
    )
    done = workspace.run("exec", "-c", f"key_isolation={mode}", FULL, "look")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    first, second = upstream.requests
    assert [request.headers["Authorization"] for request in (first, second)] == [f"Bearer {KEY}"] * 2
    assert (first.path, first.query, first.headers["X-Team"]) == (second.path, {"version": "1"}, "blue")
    output = json.loads(second.json["input"][-1]["output"])["output"]
    assert output.endswith("own 0\n")

    assert re.match(copies, output), output


# What an unprivileged command of the same user can see of the engine.
INTRUDER = """
import os
parent = f"/proc/{os.getppid()}"
for name in ("mem", "environ", "maps"):
    try:
        open(f"{parent}/{name}", "rb").read(0 if name == "mem" else 1)
        print(name, "allowed")
    except PermissionError:
        print(name, "denied")
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not CAN_DROP_PRIVILEGES,
    reason="needs Linux, and setpriv to do without root's power",
)
@pytest.mark.parametrize(("mode", "seen"), [("always", "denied"), ("never", "allowed")])
def test_a_command_without_a_sandbox_cannot_read_the_engines_memory(
    workspace: Workspace, upstream: ScriptedUpstream, mode: str, seen: str
) -> None:
    workspace.configure(upstream.base_url)
    (workspace.home / "intruder.py").write_text(INTRUDER)
    intruder = [sys.executable, str(workspace.home / "intruder.py")]
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": intruder}, "c1"), sse.completed()),
        stream(sse.created(), sse.message("done"), sse.completed()),
    )
    done = workspace.run("exec", "-c", f"key_isolation={mode}", FULL, "look", prefix=UNPRIVILEGED)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    output = json.loads(upstream.requests[1].json["input"][-1]["output"])["output"]
    assert output == f"mem {seen}\nenviron {seen}\nmaps {seen}\n"


def test_the_process_ends_with_the_engine_however_the_engine_ends(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    go_on = threading.Event()
    upstream.add(stream(sse.created(), sse.text_delta("slow"), pause(go_on), sse.completed()))
    process = workspace.start("exec", *ALWAYS, "--json", "hi")
    assert process.stdout
    while "slow" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    [proxy] = proxies(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    go_on.set()
    proxy.wait(10)


def test_an_invalid_key_is_reported_in_one_line_without_the_key(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    workspace.environment["SCRIPTED_API_KEY"] = "not{a}key"
    done = workspace.run("exec", *ALWAYS, "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert "byte 4 of the key is not a letter" in done.stderr
    assert "{a}" not in done.stderr
    assert upstream.requests == []


def test_a_missing_key_is_reported_before_anything_starts(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    del workspace.environment["SCRIPTED_API_KEY"]
    done = workspace.run("exec", *ALWAYS, "hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert "set the environment variable SCRIPTED_API_KEY" in done.stderr


def test_provider_errors_are_reported_as_without_the_proxy(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(reply(401, body={"error": {"message": "bad key"}}, headers={"x-request-id": "req-7"}))
    done = workspace.run("exec", *ALWAYS, "hi")
    assert done.returncode == 1
    assert f"Scripted ({upstream.base_url}) answered 401 (request id req-7): bad key" in done.stderr
    assert "Check the API key in SCRIPTED_API_KEY" in done.stderr


def test_an_invalid_mode_is_rejected(workspace: Workspace) -> None:
    done = workspace.run("exec", "-c", "key_isolation=sometimes", "hi")
    assert done.returncode == 2
    assert "key_isolation" in done.stderr
    assert not Path(workspace.home / "log").exists()


def test_the_proxy_is_also_a_command(workspace: Workspace) -> None:
    usage = workspace.run("responses-api-proxy", "--help")
    assert (usage.returncode, usage.stderr) == (0, "")
    assert "--upstream-url" in usage.stdout
    done = workspace.run(
        "responses-api-proxy", "--server-info", "-", "--exit-on-eof", stdin="sk-of-a-test-01234\n"
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["port"]


def test_an_unreachable_provider_is_named_instead_of_the_proxy(workspace: Workspace) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        workspace.configure(url)
        done = workspace.run("exec", *ALWAYS, "-c", "model_providers.scripted.request_max_retries=0", "hi")
    assert done.returncode == 1
    assert f"Scripted ({url}) cannot be reached: no connection to the upstream " in done.stderr
    assert ": Connection refused (gave up" in done.stderr
    assert "answered" not in done.stderr


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("never", "cannot be reached through the proxy 127.0.0.1:1: Connection refused"),
        ("always", "the proxy 127.0.0.1:1 cannot be reached: Connection refused"),
    ],
)
def test_an_unreachable_internet_proxy_is_named_without_its_password(
    workspace: Workspace, mode: str, words: str
) -> None:
    workspace.configure("https://api.example.invalid/v1")
    workspace.environment["HTTPS_PROXY"] = "http://me:hush@127.0.0.1:1"
    limit = "model_providers.scripted.request_max_retries=0"
    done = workspace.run("exec", "-c", f"key_isolation={mode}", "-c", limit, "hi")
    assert done.returncode == 1
    assert words in done.stderr
    assert "hush" not in done.stderr
