"""`code login` and `code logout`."""

import re

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import KEY, Workspace
from tui.terminal import Terminal

FILE = "keys/SCRIPTED_API_KEY"
SAVED = "sk-saved-0123456789"


@pytest.fixture
def keyless(workspace: Workspace, upstream: ScriptedUpstream) -> Workspace:
    """A workspace whose environment has no key."""
    workspace.configure(upstream.base_url)
    del workspace.environment["SCRIPTED_API_KEY"]
    return workspace


@pytest.mark.parametrize("isolation", ["auto", "always", "never"])
@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_a_saved_key_is_sent_and_hidden_from_commands(
    keyless: Workspace, upstream: ScriptedUpstream, isolation: str, wire: str
) -> None:
    if (isolation, wire) == ("always", "chat"):
        pytest.skip("the proxy forwards only the Responses API")
    saved = keyless.run("login", "--with-api-key", stdin=f"{SAVED}\n")
    assert (saved.returncode, saved.stdout) == (
        0,
        f"saved the API key for Scripted in {keyless.home / FILE}\n",
    )
    assert ((keyless.home / FILE).stat().st_mode & 0o777, saved.stderr) == (0o600, "")
    options = ["-c", f"key_isolation={isolation}", "-c", f"model_providers.scripted.wire_api={wire}"]
    show = sse.function_call("shell", {"command": ["env"]}, "c1")
    upstream.add(stream(show, sse.completed()), stream(sse.message("done"), sse.completed()))
    done = keyless.run("exec", *options, "--dangerously-bypass-approvals-and-sandbox", "hi")
    if wire == "responses":
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
        assert SAVED not in str(upstream.requests[1].json)
    assert {one.headers["Authorization"] for one in upstream.requests} == {f"Bearer {SAVED}"}
    assert SAVED not in done.stdout + done.stderr


def test_the_environment_takes_precedence_over_the_saved_key(
    keyless: Workspace, upstream: ScriptedUpstream
) -> None:
    keyless.environment["SCRIPTED_API_KEY"] = KEY
    saved = keyless.run("login", "--with-api-key", stdin=SAVED)
    assert saved.stderr == "SCRIPTED_API_KEY is set in your environment, and takes precedence\n"
    assert keyless.run("login", "status").stdout == "Scripted: the key is in SCRIPTED_API_KEY\n"
    upstream.add(stream(sse.message("done"), sse.completed()))
    keyless.run("exec", "hi")
    assert upstream.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    removed = keyless.run("logout")
    assert removed.stderr == "SCRIPTED_API_KEY is still set in your environment, and is used\n"


def test_the_status_says_where_the_key_is_and_never_shows_it(keyless: Workspace) -> None:
    missing = keyless.run("login", "status")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == (
        "code: provider 'scripted' needs an API key: run code login, "
        "or set the environment variable SCRIPTED_API_KEY\n"
    )
    keyless.run("login", "--with-api-key", stdin=SAVED)
    status = keyless.run("login", "status")
    assert (status.returncode, status.stderr) == (0, "")
    assert status.stdout == f"Scripted: the key is saved in {keyless.home / 'keys'}\n"
    assert keyless.run("logout").stdout == "deleted the saved API key for Scripted\n"
    assert keyless.run("logout").stdout == "there is no saved API key for Scripted\n"
    assert keyless.run("login", "status").returncode == 1


@pytest.mark.parametrize("command", [("login",), ("acp", "login"), ("acp", "-m", "x", "login")])
def test_a_key_is_typed_without_echo(keyless: Workspace, command: tuple[str, ...]) -> None:
    terminal = Terminal(keyless, *command, columns=100)
    terminal.until("API key for Scripted (it is not shown): ")
    terminal.type(f"{SAVED}\n")
    terminal.until("saved the API key for Scripted")
    assert terminal.wait() == 0
    assert SAVED not in terminal.screen
    assert (keyless.home / FILE).read_text() == SAVED


@pytest.mark.parametrize(("typed", "code"), [("\n", 2), ("\x04", 2), ("a b\n", 2), ("\x03", 130)])
def test_an_invalid_key_is_reported_in_one_line(keyless: Workspace, typed: str, code: int) -> None:
    terminal = Terminal(keyless, "login", columns=100)
    terminal.until("(it is not shown): ")
    terminal.type(typed)
    assert terminal.wait() == code
    assert "Traceback" not in terminal.screen
    assert not (keyless.home / FILE).exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "problem"),
    [
        (("login",), "", "use code login --with-api-key"),
        (("login", "--with-api-key"), "", "code: the key is empty"),
        (("login", "--with-api-key"), "a b", "code: the key contains spaces"),
        (("login", "--with-api-key"), "x" * 100_000, "code: the key is longer than 8,192 bytes"),
        (("login", "--with-api-key", "status"), "", "--with-api-key is an option of code login alone"),
        (("login", "nonsense"), "", "No such command 'nonsense'"),
        (("login", "-c", "model_provider=oss"), "", "the provider 'oss' needs no API key"),
        (("login", "-c", "model_provider=nobody", "status"), "", "nobody"),
        (("login", "-c", "nonsense"), "", "nonsense"),
    ],
)
def test_an_impossible_request_is_reported_in_one_line(
    keyless: Workspace, arguments: tuple[str, ...], stdin: str, problem: str
) -> None:
    done = keyless.run(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr.splitlines()[-1]
    assert re.search("Traceback|a b|xxx", done.stderr) is None
    assert not (keyless.home / FILE).exists()


def test_a_key_cannot_be_an_argument(keyless: Workspace) -> None:
    done = keyless.run("login", "--api-key", SAVED)
    assert done.returncode == 2
    assert SAVED not in done.stderr


def test_options_select_the_provider(keyless: Workspace) -> None:
    openrouter = ("-c", "model_provider=openrouter")
    keyless.run("login", *openrouter, "--with-api-key", stdin=SAVED)
    assert (keyless.home / "keys/OPENROUTER_API_KEY").read_text() == SAVED
    for order in (("login", *openrouter, "status"), ("login", "status", *openrouter)):
        assert keyless.run(*order).stdout.startswith("OpenRouter: the key is saved in ")
    assert keyless.run("login", "status").returncode == 1
    assert keyless.run("logout", *openrouter).stdout == "deleted the saved API key for OpenRouter\n"
