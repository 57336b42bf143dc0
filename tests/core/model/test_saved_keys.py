"""Keys that `code login` saved, in files."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code_core.errors import ConfigError
from code_core.model.key_proxy import KeyProxies
from code_core.model.providers import LONGEST_KEY, Provider
from code_core.model.saved_keys import SavedKeys, saved_keys, where_the_key_is

PROVIDER = Provider(id="p", name="P", base_url="http://127.0.0.1:1/v1", env_key="MINE")
CHAT = Provider(id="q", name="Q", base_url="http://127.0.0.1:1/v1", env_key="MINE", wire_api="chat")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SavedKeys:
    monkeypatch.delenv("MINE", raising=False)
    return SavedKeys(tmp_path / "home")


def test_a_key_is_saved_readable_only_by_its_user(saved: SavedKeys) -> None:
    before = os.umask(0)
    try:
        path = saved.save(PROVIDER, b"sk-one")
    finally:
        os.umask(before)
    assert path == saved.directory / "MINE"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert saved.read(PROVIDER) == b"sk-one"
    assert where_the_key_is(PROVIDER, saved) == f"saved in {saved.directory}"
    saved.save(PROVIDER, b"sk-two")
    assert saved.read(PROVIDER) == b"sk-two"
    assert [one.name for one in saved.directory.iterdir()] == ["MINE"]


def test_a_link_in_place_of_the_file_is_replaced_and_not_followed(saved: SavedKeys, tmp_path: Path) -> None:
    saved.directory.mkdir(parents=True)
    (tmp_path / "theirs").write_text("kept")
    (saved.directory / "MINE").symlink_to(tmp_path / "theirs")
    saved.save(PROVIDER, b"sk-one")
    assert (tmp_path / "theirs").read_text() == "kept"
    assert saved.read(PROVIDER) == b"sk-one"


def test_a_key_is_removed_once(saved: SavedKeys) -> None:
    assert not saved.remove(PROVIDER)
    saved.save(PROVIDER, b"sk-one")
    assert saved.remove(PROVIDER)
    assert saved.read(PROVIDER) is None
    assert where_the_key_is(PROVIDER, saved) is None


def test_the_environment_takes_precedence_over_a_saved_key(
    saved: SavedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.save(PROVIDER, b"sk-saved")
    keys = KeyProxies(lambda: saved)
    for one in (PROVIDER, CHAT):
        assert keys.hold(one, "never") == b"sk-saved"
        monkeypatch.setenv("MINE", " ")  # set to nothing
        assert keys.hold(one, "auto") == b"sk-saved"  # on this machine
        monkeypatch.setenv("MINE", "sk-environment")
        assert keys.hold(one, "never") is None
        assert where_the_key_is(one, saved) == "in MINE"
        monkeypatch.delenv("MINE")


@pytest.fixture
def _open_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the memory of this process open, because closing it cannot be undone."""
    monkeypatch.setattr("code_process_hardening.deny_memory_access", lambda: None)


@pytest.mark.usefixtures("_open_memory")
def test_a_saved_key_that_is_passed_to_a_child_is_erased_here(saved: SavedKeys) -> None:
    far = replace(PROVIDER, base_url="https://models.example/v1")
    saved.save(far, b"sk-saved")
    keys = KeyProxies(lambda: saved)
    try:
        assert keys.isolate(far, "auto") is not None
        assert keys.hold(far, "auto") is None
    finally:
        keys.close()


@pytest.mark.usefixtures("_open_memory")
def test_a_saved_key_for_chat_completions_is_held_here(saved: SavedKeys) -> None:
    far = replace(CHAT, base_url="https://models.example/v1")
    saved.save(far, b"sk-saved")
    assert KeyProxies(lambda: saved).hold(far, "auto") == b"sk-saved"


def test_a_saved_key_is_not_put_into_the_environment(saved: SavedKeys) -> None:
    saved.save(PROVIDER, b"sk-saved")
    KeyProxies(lambda: saved).hold(PROVIDER, "never")
    assert "MINE" not in os.environ


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (b"", "the key is empty"),
        (b"a b", "contains spaces or control characters"),
        ("clé".encode(), "letters that are not ASCII"),
        (b"x" * 8_193, "longer than 8,192 bytes"),
    ],
)
def test_an_invalid_key_is_not_saved(saved: SavedKeys, key: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        saved.save(PROVIDER, key)
    assert not saved.directory.exists()
    assert "a b" not in str(caught.value)


def test_the_longest_key_is_saved(saved: SavedKeys) -> None:
    saved.save(PROVIDER, b"x" * LONGEST_KEY)
    assert saved.read(PROVIDER) == b"x" * LONGEST_KEY


def test_the_directory_is_made_private(saved: SavedKeys) -> None:
    saved.directory.mkdir(parents=True)
    saved.directory.chmod(0o755)
    saved.save(PROVIDER, b"sk-one")
    assert saved.directory.stat().st_mode & 0o777 == 0o700


def test_the_home_directory_comes_from_the_environment(tmp_path: Path) -> None:
    assert saved_keys({"CODE_HOME": str(tmp_path)}) == SavedKeys(tmp_path)


@pytest.mark.parametrize("more", [{"env_key": None}, {"replay_scenario": "demo"}])
def test_a_provider_without_a_key_needs_none(saved: SavedKeys, more: Any) -> None:
    assert where_the_key_is(replace(PROVIDER, **more), saved) == "p needs no key"


def test_a_key_in_the_environment_is_checked(saved: SavedKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "a b")
    with pytest.raises(ConfigError, match="environment variable MINE contains spaces"):
        where_the_key_is(PROVIDER, saved)


@pytest.mark.parametrize("variable", [None, "../MINE", "a/b", "", ".", "x" * 201, "MINE\n"])
def test_a_name_that_is_not_a_variable_reaches_no_file(saved: SavedKeys, variable: str | None) -> None:
    provider = Provider(id="p", name="P", base_url="http://127.0.0.1:1/v1", env_key=variable)
    assert saved.read(provider) is None
    assert not saved.remove(provider)
    problem = "needs no API key" if variable is None else "is not the name of a variable"
    with pytest.raises(ConfigError, match=problem):
        saved.save(provider, b"sk-one")


@pytest.mark.parametrize("content", [b"", b"a b\n", b"x" * 9_000])
def test_a_damaged_file_is_an_error_that_names_it(saved: SavedKeys, content: bytes) -> None:
    saved.directory.mkdir(parents=True)
    (saved.directory / "MINE").write_bytes(content)
    with pytest.raises(ConfigError, match=f"the saved key {saved.directory}/MINE"):
        saved.read(PROVIDER)


def test_a_directory_in_place_of_the_file_is_an_error_that_names_it(saved: SavedKeys) -> None:
    (saved.directory / "MINE").mkdir(parents=True)
    for action in (saved.read, saved.remove):
        with pytest.raises(ConfigError, match=f"{saved.directory}/MINE cannot be"):
            action(PROVIDER)
    with pytest.raises(ConfigError, match=f"{saved.directory}/MINE cannot be written"):
        saved.save(PROVIDER, b"sk-one")
    assert [one.name for one in saved.directory.iterdir()] == ["MINE"]
