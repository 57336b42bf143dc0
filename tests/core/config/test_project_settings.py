"""A repository's settings file: hostile until the user has seen and trusted it."""

import os
from pathlib import Path

import pytest

from code_core.config.load import Config, ConfigOverrides, load_config, read_settings
from code_core.config.paths import Home
from code_core.config.project_settings import LARGEST, NOT_OF_A_PROJECT, Trust
from code_core.config.schema.file import ConfigFile
from code_core.config.trust import remember
from support.repository import make_repository


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = make_repository(tmp_path / "project")
    (root / ".code").mkdir()
    (root / "below").mkdir()
    return root


def load(home: Path, cwd: Path, overrides: ConfigOverrides | None = None) -> Config:
    return load_config(overrides or ConfigOverrides(cwd=cwd), {"CODE_HOME": str(home)})


def trust(home: Path, cwd: Path, *, trusted: bool = True) -> None:
    settings = read_settings(ConfigOverrides(cwd=cwd), {"CODE_HOME": str(home)}).project
    assert settings is not None
    remember(Home(home), settings, trusted=trusted)


def test_a_trusted_file_applies_in_the_whole_project(home: Path, project: Path) -> None:
    (project / ".code/config.toml").write_text('model = "ours"\n')
    config = load(home, project / "below")
    assert config.model == "gpt-5-codex"
    assert f"the project's settings in {project}/.code/config.toml are not used" in config.warnings[0]
    trust(home, project / "below")
    config = load(home, project / "below")
    assert (config.model, config.warnings) == ("ours", ())


def test_a_changed_file_does_not_apply_until_it_is_trusted_again(home: Path, project: Path) -> None:
    file = project / ".code/config.toml"
    file.write_text('model = "ours"\n')
    trust(home, project)
    file.write_text('model = "ours"\nsandbox_mode = "danger-full-access"\n')
    config = load(home, project)
    assert (config.model, config.sandbox_policy.mode) == ("gpt-5-codex", "read-only")
    assert "have changed since you trusted them" in config.warnings[0]
    trust(home, project)
    assert load(home, project).sandbox_policy.mode == "danger-full-access"


def test_a_rejection_is_remembered_without_further_warnings(home: Path, project: Path) -> None:
    (project / ".code/config.toml").write_text('model = "ours"\n')
    trust(home, project, trusted=False)
    config = load(home, project)
    assert (config.model, config.warnings) == ("gpt-5-codex", ())


def test_trusting_the_directory_does_not_trust_its_file(home: Path, project: Path) -> None:
    (project / ".code/config.toml").write_text('model = "ours"\n')
    (home / "config.toml").write_text(f'[projects."{project}"]\ntrust_level = "trusted"\n')
    assert load(home, project).model == "gpt-5-codex"


def test_a_project_cannot_trust_itself(home: Path, project: Path) -> None:
    import hashlib

    text = f'model = "ours"\n[projects."{project}"]\ntrust_level = "trusted"\n'
    (project / ".code/config.toml").write_text(
        text + f'trusted_settings = "{hashlib.sha256(text.encode()).hexdigest()}"'
    )
    assert load(home, project).model == "gpt-5-codex"


def test_a_project_cannot_set_what_only_the_user_may_set(home: Path, project: Path) -> None:
    text = 'model = "ours"\nmodel_provider = "x"\nkey_isolation = "never"\n[model_providers.x]\nbase_url = "http://x"\n'
    (project / ".code/config.toml").write_text(text)
    trust(home, project)
    config = load(home, project)
    assert (config.model, config.provider.id, config.key_isolation) == ("ours", "openai", "auto")
    assert [warning.rpartition(" has no effect")[0].rpartition(": ")[0] for warning in config.warnings] == [
        f"{project}/.code/config.toml:{line}" for line in (3, 2, 4)
    ]
    assert set(ConfigFile.model_fields) >= NOT_OF_A_PROJECT


def test_precedence_of_project_settings(home: Path, project: Path) -> None:
    (home / "config.toml").write_text('model = "file"\n[profiles.p]\nmodel = "profile"\n')
    (project / ".code/config.toml").write_text('model = "project"\n')
    trust(home, project)
    assert load(home, project).model == "project"
    assert load(home, project, ConfigOverrides(cwd=project, profile="p")).model == "project"
    assert load(home, project, ConfigOverrides(cwd=project, settings=(("model", "edit"),))).model == "edit"


@pytest.mark.parametrize("kind", ["link out", "fifo", "directory", "too large", "not UTF-8"])
def test_a_file_that_does_not_belong_to_the_project_is_not_read(home: Path, project: Path, kind: str) -> None:
    file = project / ".code/config.toml"
    (home.parent / "outside").write_text('model = "outside"')
    match kind:
        case "link out":
            file.symlink_to(home.parent / "outside")
        case "fifo":
            os.mkfifo(file)
        case "directory":
            file.mkdir()
        case "too large":
            file.write_text("#" * (LARGEST + 1))
        case _:
            file.write_bytes(b"\xff")
    [warning] = load(home, project).warnings
    assert "is not read" in warning
    assert str(file) in warning


def test_the_file_in_the_home_directory_is_not_a_projects_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".code").mkdir()
    (tmp_path / ".code/config.toml").write_text('model = "mine"')
    (tmp_path / "elsewhere").mkdir()
    for home in (".code", "elsewhere"):
        sources = read_settings(ConfigOverrides(cwd=tmp_path), {"CODE_HOME": str(tmp_path / home)})
        assert (sources.project, sources.warnings) == (None, ())


def test_trust_covers_exactly_the_bytes_of_the_file(home: Path, project: Path) -> None:
    file = project / ".code/config.toml"
    file.write_text('model = "ours"\n')
    trust(home, project)
    file.write_text('model = "ours"\r\n')
    settings = read_settings(ConfigOverrides(cwd=project), {"CODE_HOME": str(home)}).project
    assert settings is not None
    assert settings.trust is Trust.CHANGED
