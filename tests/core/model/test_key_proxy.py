"""The process that holds a key: how it is started, queried and ended. A script replaces it."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from code_core.errors import ConfigError, RequestRefused
from code_core.model import key_proxy
from code_core.model.key_proxy import Endpoint, KeyProxies, KeyProxy
from code_core.model.providers import Provider
from code_process_hardening import HardeningError

CHILD = """
import json, os, sys
module, *options = sys.argv[1:]
key = sys.stdin.buffer.readline().decode()
proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
with open(NOTE, "w") as note:
    json.dump({"module": module, "options": options, "key": key, "proxies": proxies}, note)
"""
SERVES = """
sys.stdout.write('{"port": 12'); sys.stdout.flush()
import time; time.sleep(0.1)
print('34, "token": "the-token"}', flush=True)
sys.stdin.read()
"""


class Child:
    """What the process does, and what it was given."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "note"
        self.does = SERVES

    def command(self, module: str, options: list[str]) -> list[str]:
        script = f"NOTE = {str(self._note)!r}{CHILD}{self.does}"
        return [sys.executable, "-I", "-c", script, module, *options]

    @property
    def given(self) -> dict[str, Any]:
        given: dict[str, Any] = json.loads(self._note.read_text())
        return given


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    child = Child(tmp_path)
    monkeypatch.setattr("code_process_hardening.isolated_command", child.command)
    return child


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes when this process closes its memory, which it does not really do."""
    denied: list[str] = []
    monkeypatch.setattr("code_process_hardening.deny_memory_access", lambda: denied.append("denied"))
    return denied


@pytest.fixture
def keys(child: Child, denied: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyProxies]:
    del child, denied
    monkeypatch.setenv("MINE", " the-key ")
    keys = KeyProxies()
    yield keys
    keys.close()


def provider(**more: Any) -> Provider:
    given = {"id": "p", "name": "P", "base_url": "https://models.example/v1", "env_key": "MINE"} | more
    return Provider(**given)


def chat(**more: Any) -> Provider:
    return provider(wire_api="chat", **more)


def started(of: Provider, environ: dict[str, str] | None = None) -> KeyProxy:
    return KeyProxy(of, bytearray(b"the-key"), environ or {})


def endpoint(of: KeyProxy) -> Endpoint:
    return anyio.run(of.endpoint)


def test_the_child_gets_the_key_and_reports_its_port(child: Child) -> None:
    key = bytearray(b"the-key")
    proxy = KeyProxy(provider(query_params={"v": "a b"}), key, {})
    assert endpoint(proxy) == Endpoint("http://127.0.0.1:1234/v1/responses", b"Bearer the-token", {})
    assert endpoint(proxy) is endpoint(proxy)
    assert key == bytes(7)
    assert child.given == {
        "module": "code_responses_api_proxy",
        "options": [
            *("--upstream-url", "https://models.example/v1/responses?v=a+b"),
            *("--max-body-mib", "1024", "--server-info", "-", "--require-token", "--exit-on-eof"),
        ],
        "key": "the-key\n",
        "proxies": {},
    }
    proxy.close()


def test_the_child_is_awaited_once(child: Child) -> None:
    del child
    proxy = started(provider())
    found: list[Endpoint] = []

    async def ask() -> None:
        found.append(await proxy.endpoint())

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)

    anyio.run(main)
    assert found[0] is found[1]
    proxy.close()


def test_the_child_gets_the_proxy_and_the_certificates(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://unused:1")
    proxy = started(provider(), {"HTTPS_PROXY": "http://proxy:3128", "SSL_CERT_FILE": "/ca.pem"})
    endpoint(proxy)
    assert child.given["options"][-3:] == ["--ca-file", "/ca.pem", "--use-env-proxy"]
    assert child.given["options"][:2] == ["--upstream-url", "https://models.example/v1/responses"]
    assert child.given["proxies"] == {"https_proxy": "http://proxy:3128", "http_proxy": "http://proxy:3128"}
    proxy.close()
    with pytest.raises(ConfigError, match="SOCKS"):
        started(provider(), {"HTTPS_PROXY": "socks5://host:1"})


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("print('one\\nno such host', file=sys.stderr); sys.exit(2)", "did not start: no such host$"),
        ("sys.exit(7)", "did not start: exit code 7$"),
        ("os.close(1); import time; time.sleep(0.05); os._exit(7)", "did not start: exit code 7$"),
        ("print('a' * 4090, 'bcdefghij', sep='\\n', file=sys.stderr); sys.exit(7)", "did not start: bcdef$"),
        ("sys.stdin.read()", "did not start: it printed nothing$"),
        ("print('{', end='', flush=True); sys.exit(3)", "did not start: exit code 3$"),
        ("sys.stderr.buffer.write(b'a \\xff'); sys.exit(2)", "did not start: a \ufffd$"),
    ],
)
def test_a_child_that_does_not_start_is_an_error(
    child: Child, monkeypatch: pytest.MonkeyPatch, does: str, words: str
) -> None:
    if "read" in does:
        monkeypatch.setattr(key_proxy, "START_SECONDS", 0.5)
    child.does = does
    proxy = started(provider())
    with pytest.raises(RequestRefused, match=f"^the process that holds the API key {words}"):
        endpoint(proxy)
    proxy.close()


def test_a_child_that_has_ended_is_an_error(child: Child) -> None:
    child.does = f"print('out of memory', file=sys.stderr)\n{SERVES}"
    proxy = started(provider())
    endpoint(proxy)
    proxy._child.kill()
    proxy._child.wait()
    with pytest.raises(RequestRefused) as caught:
        endpoint(proxy)
    assert str(caught.value) == "the process that holds the API key has ended: out of memory. Start again."
    proxy.close()


def test_a_child_that_exits_immediately_does_not_crash_us(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*_arguments: Any) -> list[str]:
        return [sys.executable, "-I", "-c", "import os; os.close(0)"]

    del child
    monkeypatch.setattr("code_process_hardening.isolated_command", command)
    for _ in range(5):
        proxy = KeyProxy(provider(), bytearray(b"k" * 200_000), {})  # more than a pipe takes
        with pytest.raises(RequestRefused, match="did not start"):
            endpoint(proxy)
        proxy.close()


def test_the_child_ends_when_its_pipe_closes_or_is_killed(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(Path("/dev/fd").iterdir())
    proxy = started(provider())
    endpoint(proxy)
    proxy.close()
    assert proxy._child.returncode == 0
    child.does = SERVES.replace("sys.stdin.read()", "time.sleep(60)")
    monkeypatch.setattr(key_proxy, "CLOSE_SECONDS", 0.1)
    stubborn = started(provider())
    endpoint(stubborn)
    stubborn.close()
    assert stubborn._child.returncode == -9
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_the_child_is_not_part_of_the_terminal(child: Child) -> None:
    """Ctrl+C is for this process, which ends the child when it ends."""
    proxy = started(provider())
    endpoint(proxy)
    assert os.getsid(proxy._child.pid) == proxy._child.pid
    proxy.close()
    del child


def test_a_chat_completions_key_is_taken_once(keys: KeyProxies, denied: list[str]) -> None:
    assert keys.hold(chat(), "auto") == b"the-key"
    assert "MINE" not in os.environ
    assert keys.hold(chat(id="q"), "auto") == b"the-key"
    assert keys.hold(chat(base_url="http://localhost:1/v1"), "auto") == b"the-key"
    assert denied == ["denied"]


def test_the_copy_of_a_held_key_is_overwritten(keys: KeyProxies, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = bytearray(b" the-key ")
    monkeypatch.setattr("code_process_hardening.take_variable", lambda _name: taken)
    assert keys.hold(chat(), "auto") == b"the-key"
    assert taken == bytes(len(taken))


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (chat(env_key=None), "auto"),
        (provider(), "auto"),
        (chat(), "never"),
        (chat(base_url="http://localhost:1/v1"), "auto"),
    ],
)
def test_other_keys_are_not_held(keys: KeyProxies, denied: list[str], of: Provider, wanted: Any) -> None:
    assert keys.hold(of, wanted) is None
    assert os.environ["MINE"] == " the-key "
    assert denied == []


def test_a_missing_key_is_an_error_with_advice(keys: KeyProxies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINE")
    with pytest.raises(ConfigError, match="needs an API key"):
        keys.hold(chat(), "auto")
    with pytest.raises(ConfigError, match="needs an API key"):
        keys.isolate(provider(), "auto")


def open_memory() -> None:
    raise HardeningError("the kernel is too old")


def test_memory_that_cannot_be_protected_is_a_warning_or_an_error(
    keys: KeyProxies, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("code_process_hardening.deny_memory_access", open_memory)
    with pytest.raises(ConfigError) as caught:
        keys.isolate(provider(), "always")
    assert str(caught.value) == (
        'the key cannot be isolated: the kernel is too old; set key_isolation = "never" to run without it'
    )
    assert os.environ["MINE"] == " the-key "
    with caplog.at_level(logging.WARNING, "code_core"):
        assert keys.hold(chat(), "auto") == b"the-key"
    assert "the kernel is too old" in caplog.text


@pytest.mark.parametrize("wanted", ["auto", "always"])
def test_a_responses_key_has_one_child_for_each_address(
    keys: KeyProxies, child: Child, denied: list[str], wanted: Any
) -> None:
    proxy = keys.isolate(provider(), wanted)
    assert proxy is not None
    assert "MINE" not in os.environ
    assert denied == ["denied"]
    assert keys.isolate(provider(id="q"), wanted) is proxy
    endpoint(proxy)
    assert child.given["key"] == " the-key \n"
    for other in (provider(base_url="https://other.example/v1"), provider(query_params={"v": "1"})):
        with pytest.raises(ConfigError) as caught:
            keys.isolate(other, wanted)
        assert str(caught.value) == (
            "the key in MINE is locked in the proxy for https://models.example/v1/responses, so provider 'p' "
            'cannot have it: set key_isolation = "never", or use another variable'
        )
    with pytest.raises(ConfigError, match="is locked in the proxy"):
        keys.hold(chat(), "auto")


def test_a_key_that_is_set_again_can_be_taken_again(
    keys: KeyProxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keys.isolate(provider(), "auto")
    monkeypatch.setenv("MINE", "another")
    second = keys.isolate(provider(base_url="https://other.example/v1"), "auto")
    assert second is not None
    assert second is not first
    monkeypatch.setenv("OTHER", "a-third")
    assert keys.hold(chat(env_key="OTHER"), "auto") == b"a-third"


def test_a_held_key_can_also_be_passed_to_a_child(keys: KeyProxies, child: Child) -> None:
    assert keys.hold(chat(), "auto") == b"the-key"
    proxy = keys.isolate(provider(), "auto")
    assert proxy is not None
    endpoint(proxy)
    assert child.given["key"] == "the-key\n"
    assert keys.hold(chat(), "auto") == b"the-key"


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (provider(env_key=None), "always"),
        (provider(), "never"),
        (provider(base_url="http://localhost:1/v1"), "auto"),
        (chat(), "auto"),
        (chat(), "never"),
        (chat(env_key=None), "always"),
    ],
)
def test_other_keys_are_not_isolated(keys: KeyProxies, denied: list[str], of: Provider, wanted: Any) -> None:
    assert keys.isolate(of, wanted) is None
    assert os.environ["MINE"] == " the-key "
    assert denied == []


def test_the_key_of_a_local_provider_is_isolated_on_request(keys: KeyProxies) -> None:
    assert keys.isolate(provider(base_url="http://localhost:1/v1"), "always") is not None


def test_a_chat_completions_key_cannot_be_isolated(keys: KeyProxies) -> None:
    with pytest.raises(ConfigError, match="provider 'p' has 'chat'"):
        keys.isolate(chat(), "always")


def test_without_posix_no_key_is_isolated(keys: KeyProxies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_proxy, "os", SimpleNamespace(name="nt"))
    assert keys.isolate(provider(), "auto") is None
    with pytest.raises(ConfigError, match="not available on this system"):
        keys.isolate(provider(), "always")


def test_a_proxy_that_cannot_be_used_leaves_the_key_where_it_is(keys: KeyProxies) -> None:
    with pytest.raises(ConfigError, match="SOCKS"):
        keys.isolate(provider(), "auto", {"MINE": "x", "HTTPS_PROXY": "socks5://host:1"})
    assert os.environ["MINE"] == " the-key "


def test_children_end_together(keys: KeyProxies, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys.isolate(provider(), "auto")
    monkeypatch.setenv("MINE", "again")
    second = keys.isolate(provider(base_url="https://other.example/v1"), "auto")
    assert first is not None
    assert second is not None
    keys.close()
    assert None not in [first._child.returncode, second._child.returncode]
    monkeypatch.setenv("MINE", "again")
    assert keys.isolate(provider(), "auto") is not first
