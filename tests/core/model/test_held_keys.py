"""Keys of Chat Completions providers, which this process holds. They run in separate processes, because these close their memory."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="keys are held on POSIX systems")

SETTING = """
import json, os, sys
from code_core.errors import ConfigError
from code_core.model.key_proxy import KeyProxies
from code_core.model.providers import Provider

def provider(**more):
    return Provider(**({"id": "p", "name": "P", "base_url": "https://models.example/v1", "env_key": "MINE",
                        "wire_api": "chat"} | more))

def text(key):
    return None if key is None else key.decode()

keys = KeyProxies()
"""


def run(script: str, key: str | None = " the-key ") -> list[object]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("MINE", None)
    if key is not None:
        environment["MINE"] = key
    done = subprocess.run(
        [sys.executable, "-c", f"{SETTING}\nprint(json.dumps({script}))"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout)
    return answer


def test_a_key_is_taken_once_and_given_to_every_conversation() -> None:
    script = '[text(keys.hold(provider(), "auto")), os.environ.get("MINE"), text(keys.hold(provider(id="q"), "auto"))]'
    assert run(script) == ["the-key", None, "the-key"]


@pytest.mark.parametrize(
    "given",
    [
        'provider(wire_api="responses"), "auto"',
        'provider(env_key=None), "auto"',
        'provider(), "never"',
        'provider(base_url="http://127.0.0.1:1/v1"), "auto"',
    ],
)
def test_other_keys_stay_where_they_are(given: str) -> None:
    assert run(f'[text(keys.hold({given})), os.environ.get("MINE")]') == [None, " the-key "]


def test_a_held_key_also_serves_a_local_provider() -> None:
    script = (
        '[text(keys.hold(provider(), "auto")), '
        'text(keys.hold(provider(base_url="http://127.0.0.1:1/v1"), "auto"))]'
    )
    assert run(script) == ["the-key", "the-key"]


@pytest.mark.parametrize(
    ("key", "words"), [(None, "needs an API key"), ("a b", "spaces or control characters")]
)
def test_an_unusable_key_is_reported_and_not_removed(key: str | None, words: str) -> None:
    script = """
try:
    keys.hold(provider(), "auto")
    problem = ""
except ConfigError as error:
    problem = str(error)
"""
    found, left = after(script, '[problem, os.environ.get("MINE")]', key)
    assert words in str(found)
    assert left == key


def after(script: str, answer: str, key: str | None = " the-key ") -> list[object]:
    """What `answer` is after `script`."""
    return run(f"(exec({script!r}, globals()), {answer})[1]", key)


def test_a_key_goes_from_here_to_the_proxy_and_not_back() -> None:
    script = """
first = keys.hold(provider(), "auto")
proxy = keys.isolate(provider(wire_api="responses"), "always")
again = keys.isolate(provider(wire_api="responses"), "always")
keys.close()
"""
    assert after(script, "[text(first), proxy is not None, proxy is again]") == ["the-key", True, True]
    script = """
keys.isolate(provider(wire_api="responses"), "always")
try:
    keys.hold(provider(), "auto")
    problem = ""
except ConfigError as error:
    problem = str(error)
keys.close()
"""
    [problem] = after(script, "[problem]")
    assert "the key in MINE is locked in the proxy" in str(problem)
