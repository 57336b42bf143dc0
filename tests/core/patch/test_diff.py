import shutil
import subprocess
from pathlib import Path

import pytest

from code_core.patch import Added, Deleted, FileEdit, Updated, git_diff, unified_diff

ROOT = Path("/w")


def update(old: str, new: str, name: str = "f", to: str | None = None) -> Updated:
    return Updated(ROOT / name, old, new, ROOT / to if to else None)


def test_hunks_without_a_file_header() -> None:
    assert unified_diff("a\nb\nc\n", "a\nx\nc\n") == "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"


def test_a_missing_last_newline_is_marked() -> None:
    assert unified_diff("a", "b\n") == "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"


def test_each_kind_of_change_has_gits_header() -> None:
    diff = git_diff([Added(ROOT / "n", "x\n"), Deleted(ROOT / "d", "y\n"), update("1\n", "2\n")], ROOT)
    assert diff == (
        "diff --git a/n b/n\nnew file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
        "diff --git a/d b/d\ndeleted file mode 100644\nindex 975fbec..0000000\n--- a/d\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n"
        "diff --git a/f b/f\nindex d00491f..0cfbf08 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n"
    )


def test_edits_of_one_file_are_taken_together() -> None:
    diff = git_diff([update("1\n", "2\n"), update("2\n", "3\n")], ROOT)
    assert diff.count("diff --git") == 1
    assert "-1\n+3\n" in diff


@pytest.mark.parametrize(
    "edits",
    [
        [update("1\n", "2\n"), update("2\n", "1\n")],
        [Added(ROOT / "n", "x\n"), Deleted(ROOT / "n", "x\n")],
        [update("1\n", "1\n", "a", "b")],
        [update("1\n", "2\n", "a", "b"), update("2\n", "1\n", "b", "a")],
    ],
)
def test_what_ends_as_it_began_is_left_out(edits: list[FileEdit]) -> None:
    assert git_diff(edits, ROOT) == ""


def test_a_move_with_changes_is_a_rename() -> None:
    diff = git_diff([update("1\n", "2\n", "a", "b"), update("2\n", "3\n", "b", "c")], ROOT)
    assert diff.startswith("diff --git a/a b/c\nrename from a\nrename to c\nindex ")
    assert "-1\n+3\n" in diff


def test_a_move_over_a_file_is_a_change_of_it() -> None:
    diff = git_diff([Updated(ROOT / "a", "1\n", "1\n", ROOT / "b", overwritten="old\n")], ROOT)
    assert "deleted file mode" in diff
    assert "-old\n+1\n" in diff


def test_text_with_nul_is_binary() -> None:
    assert git_diff([update("a\0", "b")], ROOT).endswith("\nBinary files a/f and b/f differ\n")


def test_strange_names_are_quoted() -> None:
    diff = git_diff([Added(ROOT / 'a "b"\t\u00e9', "x\n")], ROOT)
    assert diff.startswith('diff --git "a/a \\"b\\"\\t\\303\\251" "b/a \\"b\\"\\t\\303\\251"\n')


def test_paths_outside_the_root_stay_whole() -> None:
    assert git_diff([Added(Path("/other/x"), "x\n")], ROOT).startswith("diff --git a/other/x b/other/x\n")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
def test_git_applies_the_diff(tmp_path: Path) -> None:
    before = {"f": "1\n2\n3\n", "gone": "x", "old name": "a\r\nb\r\n", "last": "no newline"}
    after = {"f": "1\n3\n", "new\u00e9": "n\n", "d/new name": "a\r\nc\r\n", "last": "newline\n"}
    for name, text in before.items():
        (tmp_path / name).write_bytes(text.encode())
    edits: list[FileEdit] = [
        Updated(tmp_path / "f", before["f"], after["f"]),
        Deleted(tmp_path / "gone", "x"),
        Updated(tmp_path / "old name", before["old name"], after["d/new name"], tmp_path / "d/new name"),
        Added(tmp_path / "new\u00e9", "n\n"),
        Updated(tmp_path / "last", before["last"], after["last"]),
    ]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn"],
        cwd=tmp_path,
        check=True,
        input=git_diff(edits, tmp_path).encode(),
    )
    found = (path for path in tmp_path.rglob("*") if path.is_file() and ".git" not in path.parts)
    assert {str(path.relative_to(tmp_path)): path.read_bytes().decode() for path in found} == after
