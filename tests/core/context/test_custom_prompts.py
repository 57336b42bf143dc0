"""Custom prompts: which files count, and how arguments are filled in."""

from pathlib import Path

import pytest

from code_core.context.custom_prompts import LARGEST, MOST_PROMPTS, custom_prompts, parse_custom_prompt


def prompts_folder(home: Path) -> Path:
    folder = home / "prompts"
    folder.mkdir(parents=True)
    return folder


def test_front_matter_describes_a_prompt(tmp_path: Path) -> None:
    text = '---\ndescription: "Fix an issue"\nargument-hint: NUMBER\nmodel: x\n---\n\nFix issue $1.\n'
    (prompts_folder(tmp_path) / "fix.md").write_text(text)
    (found,) = custom_prompts(tmp_path).prompts
    assert (found.name, found.description, found.hint) == ("fix", "Fix an issue", "NUMBER")
    assert found.text == "Fix issue $1."


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("# Review\n\nLook.", "Review"),
        ("---\nno end", "---"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_without_front_matter_the_first_line_describes_it(text: str, description: str) -> None:
    found = parse_custom_prompt("name", text)
    assert found.description == description
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "arguments", "filled"),
    [
        ("fix $1 in $2", "12 main", "fix 12 in main"),
        ("fix $1 in $2", "'a b' c", "fix a b in c"),
        ("fix $1 in $2", "it's late", "fix it's in late"),
        ("fix $1 in $2", "", "fix  in "),
        ("do $ARGUMENTS", "'a  b' c", "do 'a  b' c"),
        ("costs $$1 $10", "5", "costs $1 50"),
        ("$1", "$ARGUMENTS", "$ARGUMENTS"),
        ("no arguments", "", "no arguments"),
        ("no arguments", "but some", "no arguments\n\nbut some"),
        ("$ARGUMENTSX", "a", "$ARGUMENTSX\n\na"),
    ],
)
def test_arguments_are_filled_in_once(text: str, arguments: str, filled: str) -> None:
    assert parse_custom_prompt("name", text).filled(arguments) == filled


def test_files_that_cannot_be_prompts_are_reported(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = prompts_folder(home)
    (tmp_path / "secret.md").write_text("secret")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "gone.md").symlink_to(folder / "nowhere")
    (folder / "folder.md").mkdir()
    (folder / "a b.md").write_text("x")
    (folder / "empty.md").write_text("---\ndescription: x\n---\n")
    (folder / "long.md").write_text("x" * (LARGEST + 1))
    (folder / "notes.txt").write_text("x")
    (folder / "real.md").write_text("x")
    (folder / "alias.md").symlink_to(folder / "real.md")
    found = custom_prompts(home)
    assert [one.name for one in found.prompts] == ["alias", "real"]
    warned = "\n".join(found.warnings)
    for name in ("out.md", "gone.md", "folder.md", "a b.md", "empty.md", "long.md"):
        assert name in warned
    assert "secret\n" not in warned
    assert len(found.warnings) == 6


def test_too_many_prompts_are_cut_with_a_warning(tmp_path: Path) -> None:
    folder = prompts_folder(tmp_path)
    for number in range(MOST_PROMPTS + 1):
        (folder / f"p{number}.md").write_text("x")
    found = custom_prompts(tmp_path)
    assert len(found.prompts) == MOST_PROMPTS
    assert "201 prompts" in found.warnings[0]
    (folder / "p0.md").write_text("x" * LARGEST)
    (folder / "p1.md").unlink()
    found = custom_prompts(tmp_path)
    assert (len(found.prompts), found.warnings) == (MOST_PROMPTS, ())


def test_the_prompts_directory_need_not_exist(tmp_path: Path) -> None:
    assert custom_prompts(tmp_path / "nowhere").prompts == ()
    assert custom_prompts(tmp_path).warnings == ()
