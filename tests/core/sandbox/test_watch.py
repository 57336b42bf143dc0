from pathlib import Path

import pytest

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.placeholders import placeholders
from code_core.sandbox.watch import changed, seen_in, watched


def test_paths_that_each_kind_of_sandbox_cannot_protect(tmp_path: Path) -> None:
    code, own, link = tmp_path / ".code", tmp_path / "venv", tmp_path / "link"
    common = tmp_path / ".git/commondir"
    confinement = Confinement(
        (tmp_path,), (code, own), absent=(common, tmp_path / "sub/.code"), links=(link,), own=(own,)
    )
    assert watched(confinement, protects=True) == (link, common)
    assert set(watched(confinement, protects=False)) == {link, common, code, tmp_path / "sub/.code"}


@pytest.mark.parametrize(
    "change",
    [
        lambda code: (code / "rules/a.toml").write_text("y"),
        lambda code: (code / "rules/new.toml").write_text(""),
        lambda code: (code / "rules/a.toml").unlink(),
        lambda code: (code / "rules/a.toml").chmod(0o777),
        lambda code: (code / "config.toml").write_text(""),
        lambda code: code.rename(code.with_name("other")),
        lambda code: (code / "rules").rename(code / "old"),
    ],
)  # fmt: skip
def test_every_change_is_noticed(tmp_path: Path, change: object) -> None:
    code = tmp_path / ".code"
    (code / "rules").mkdir(parents=True)
    (code / "rules/a.toml").write_text("x")
    (code / "sessions").mkdir()
    before = seen_in([code])
    (code / "sessions/one").write_text("the agent's own")
    assert changed(before, seen_in([code])) == []
    assert callable(change)
    change(code)
    assert set(changed(before, seen_in([code]))) & {code, code / "rules", code / "config.toml"}


def test_a_change_is_found_among_any_number_of_files(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for number in range(10_001):
        (hooks / f"a{number:05}").touch()
    before = seen_in([hooks])
    (hooks / "pre-commit").write_text("#!/bin/sh\n")
    assert changed(before, seen_in([hooks])) == [hooks]


def test_a_link_that_is_replaced_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / ".code"
    link.symlink_to("real")
    before = seen_in([link])
    link.unlink()
    link.mkdir()
    assert changed(before, seen_in([link])) == [link]


def test_a_placeholder_exists_as_long_as_a_command_needs_it(tmp_path: Path) -> None:
    path = tmp_path / ".code"
    confinement = Confinement(
        (tmp_path,), absent=(path, tmp_path / ".git/commondir", tmp_path / "no/such/.code")
    )
    with placeholders(confinement) as first:
        assert first.absent == (path,)
        with placeholders(confinement):
            assert path.is_dir()
        assert path.is_dir()
    assert not path.exists()


def test_an_interrupted_command_leaves_no_placeholder(tmp_path: Path) -> None:
    path = tmp_path / ".code"
    with pytest.raises(KeyboardInterrupt), placeholders(Confinement((tmp_path,), absent=(path,))):
        raise KeyboardInterrupt
    assert not path.exists()


def test_a_placeholder_with_contents_stays(tmp_path: Path) -> None:
    path = tmp_path / ".code"
    with placeholders(Confinement((tmp_path,), absent=(path,))):
        (path / "rules").mkdir()
    assert (path / "rules").is_dir()


def test_a_link_in_place_of_a_placeholder_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / ".code").symlink_to("victim")
    with placeholders(Confinement((tmp_path,), absent=(tmp_path / ".code",))) as ready:
        assert ready.absent == ()
    assert (tmp_path / "victim").is_dir()
