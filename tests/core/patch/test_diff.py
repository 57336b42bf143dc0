import os
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.files.local import LocalFileSystem
from code_core.patch import (
    FileEdit,
    MemoryFileSystem,
    PatchPlan,
    Updated,
    apply_plan,
    diff,
    git_diff,
    unified_diff,
)
from core.patch.build import added, deleted, memory, texts, updated

ROOT = Path("/w")
BLOBS = {
    "1\n": "d00491fd7e5bb6fa28c517a0bb32b8b506539d4d",
    "2\n": "0cfbf08886fca9a91cb753ec8734c84fcbe52c9f",
    "x\n": "587be6b4c3f93f93c489c0111bba5596147a26cb",
    "": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
}
ZEROS = "0" * 40
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")


def update(old: str, new: str, name: str = "f", to: str | None = None) -> Updated:
    return updated(ROOT / name, old, new, ROOT / to if to else None)


def test_hunks_have_three_lines_of_context_and_no_file_header() -> None:
    old = "".join(f"{number}\n" for number in range(1, 10))
    assert unified_diff(old, old.replace("5", "x")) == "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"


def test_changes_share_a_hunk_if_their_contexts_touch() -> None:
    old = [f"{number}\n" for number in range(20)]
    for apart, hunks in ((7, 1), (8, 2)):
        new = ["x\n" if number in (5, 5 + apart) else line for number, line in enumerate(old)]
        assert unified_diff("".join(old), "".join(new)).count("@@ -") == hunks


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
        ("a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n"),
        ("a\n", "a\nb\nc\n", "@@ -1 +1,3 @@\n a\n+b\n+c\n"),
        ("a", "b\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"),
        ("a\nb", "c\nb", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n"),
        ("a\r\nb\n", "a\nb\n", "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\n"),
        ("a\n", "a\n", ""),
    ],
)
def test_hunks_of_a_diff(old: str, new: str, diff: str) -> None:
    assert unified_diff(old, new) == diff


def test_each_kind_of_change_has_the_same_header_as_in_git() -> None:
    diff = git_diff(
        [added(ROOT / "n", "x\n"), deleted(ROOT / "d", "1\n"), update("1\n", "2\n"), added(ROOT / "e", "")],
        ROOT,
    )
    assert diff == (
        f"diff --git a/n b/n\nnew file mode 100644\nindex {ZEROS}..{BLOBS[chr(120) + chr(10)]}\n"
        "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
        f"diff --git a/d b/d\ndeleted file mode 100644\nindex {BLOBS['1' + chr(10)]}..{ZEROS}\n"
        "--- a/d\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
        f"diff --git a/f b/f\nindex {BLOBS['1' + chr(10)]}..{BLOBS['2' + chr(10)]}\n"
        "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n"
        f"diff --git a/e b/e\nnew file mode 100644\nindex {ZEROS}..{BLOBS['']}\n"
    )


def test_edits_of_one_file_are_combined() -> None:
    diff = git_diff([update("1\n", "2\n"), update("2\n", "3\n")], ROOT)
    assert diff.count("diff --git") == 1
    assert "-1\n+3\n" in diff


@pytest.mark.parametrize(
    "edits",
    [
        [],
        [update("1\n", "2\n"), update("2\n", "1\n")],
        [added(ROOT / "n", "x\n"), deleted(ROOT / "n", "x\n")],
        [deleted(ROOT / "n", "x\n"), added(ROOT / "n", "x\n")],
        [update("1\n", "2\n", "a", "b"), update("2\n", "1\n", "b", "a")],
        [added(ROOT / "n", "x\n"), update("x\n", "x\n", "n", "m"), deleted(ROOT / "m", "x\n")],
    ],
)
def test_a_file_without_net_changes_is_left_out(edits: list[FileEdit]) -> None:
    assert git_diff(edits, ROOT) == ""


@pytest.mark.parametrize(
    "edits",
    [[update("1\n", "1\n", "a", "c")], [update("1\n", "1\n", "a", "b"), update("1\n", "1\n", "b", "c")]],
)
def test_a_file_that_only_moves_is_a_rename(edits: list[FileEdit]) -> None:
    header = "diff --git a/a b/c\nsimilarity index 100%\nrename from a\nrename to c\n"
    assert git_diff(edits, ROOT) == header


def test_a_move_with_changes_is_a_rename() -> None:
    diff = git_diff([update("1\n", "2\n", "a", "b"), update("2\n", "3\n", "b", "c")], ROOT)
    assert diff.startswith("diff --git a/a b/c\nrename from a\nrename to c\nindex ")
    assert "-1\n+3\n" in diff


def test_a_file_in_place_of_a_moved_and_deleted_one_is_a_new_file() -> None:
    edits: list[FileEdit] = [
        update("1\n", "1\n", "a", "b"),
        deleted(ROOT / "b", "1\n"),
        added(ROOT / "b", "2\n"),
    ]
    shown = git_diff(edits, ROOT)
    assert "deleted file mode" in shown
    assert "new file mode" in shown
    assert "rename" not in shown


def test_a_move_over_a_file_is_shown_as_a_change_of_that_file() -> None:
    diff = git_diff([updated(ROOT / "a", "1\n", "1\n", ROOT / "b", overwritten="old\n")], ROOT)
    assert "deleted file mode" in diff
    assert "-old\n+1\n" in diff


def test_text_with_nul_is_binary() -> None:
    for edit in (update("a\0", "b"), update("b", "a\0")):
        assert git_diff([edit], ROOT).endswith("\nBinary files a/f and b/f differ\n")
    assert git_diff([added(ROOT / "f", "\0")], ROOT).endswith("\nBinary files /dev/null and b/f differ\n")


def test_unusual_names_are_quoted() -> None:
    diff = git_diff([added(ROOT / 'a "b"\t\\\n\x01\u00e9', "x\n")], ROOT)
    name = r'a \"b\"\t\\\n\001\303\251"'
    assert diff.startswith(f'diff --git "a/{name} "b/{name}\n')


def test_names_with_spaces_end_with_a_tab() -> None:
    assert "\n--- a/a b\t\n+++ b/a b\t\n" in git_diff([update("1\n", "2\n", "a b")], ROOT)


def test_paths_outside_the_root_are_complete() -> None:
    assert git_diff([added(Path("/other/x"), "x\n")], ROOT).startswith("diff --git a/other/x b/other/x\n")


def git(directory: Path, *arguments: str, text: bytes = b"") -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=environment,
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


NAMES = st.sampled_from(["a", "b c", "d/\u00fc", "d/e", 'q"\\\t'])
TEXTS = st.one_of(
    st.text(st.sampled_from("ab\n\r\u00e9\udcff"), min_size=1, max_size=20),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=30).map(lambda lines: "\n".join(lines) + "\n"),
)


async def edits_of(choices: list[tuple[str, str, str | None]], files: MemoryFileSystem) -> list[FileEdit]:
    """Edits that fit `files` as they come one after the other; carried out."""
    edits: list[FileEdit] = []
    for name, text, target in choices:
        path = ROOT / name
        old = texts(files).get(path)
        edit: FileEdit
        if old is None:
            edit = added(path, text)
        elif target is None:
            edit = deleted(path, old)
        elif target == name:
            edit = updated(path, old, text)
        else:
            edit = updated(path, old, text, ROOT / target, texts(files).get(ROOT / target))
        await apply_plan(PatchPlan((edit,)), files)
        edits.append(edit)
    return edits


@needs_git
@given(
    st.dictionaries(NAMES, TEXTS, max_size=4),
    st.lists(st.tuples(NAMES, TEXTS, st.one_of(st.none(), NAMES)), min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_git_applies_the_diff(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, str],
    choices: list[tuple[str, str, str | None]],
) -> None:
    directory = tmp_path_factory.mktemp("repository")
    git(directory, "init", "-q")
    files = memory({ROOT / name: text for name, text in before.items()})
    local = LocalFileSystem()
    for path, file in files.files.items():
        anyio.run(local.replace, directory / path.relative_to(ROOT), file, None)
    edits = anyio.run(edits_of, choices, files)
    diff = git_diff(edits, ROOT)
    if diff:
        git(
            directory, "apply", "--check", "--whitespace=nowarn", text=diff.encode("utf-8", "surrogateescape")
        )
        git(directory, "apply", "--whitespace=nowarn", text=diff.encode("utf-8", "surrogateescape"))
    found = {
        path.relative_to(directory): path.read_bytes().decode("utf-8", "surrogateescape")
        for path in directory.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    assert found == {path.relative_to(ROOT): text for path, text in texts(files).items()}


@needs_git
@given(TEXTS)
@settings(max_examples=20, deadline=None)
def test_blob_ids_are_the_same_as_gits(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    directory = tmp_path_factory.getbasetemp()
    blob = git(
        directory, "hash-object", "--no-filters", "--stdin", text=text.encode("utf-8", "surrogateescape")
    )
    assert f"index {ZEROS}..{blob.strip()}\n" in git_diff([added(ROOT / "f", text)], ROOT)


LINES = st.lists(st.sampled_from(["a", "b", "cc", ""]), max_size=12)
ENDS = st.sampled_from(["", "\n"])


@given(LINES, LINES, LINES, LINES, ENDS, ENDS, st.sampled_from([1, 3, 4096]))
@settings(max_examples=300)
def test_the_part_that_differs_gives_the_diff_of_the_whole(
    before: list[str], one: list[str], other: list[str], after: list[str], end: str, end2: str, piece: int
) -> None:
    old = ("\n".join([*before, *one, *after]) + end).encode()
    new = ("\n".join([*before, *other, *after]) + end2).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diff, "_PIECE", piece)
        line, part_old, part_new = diff.differing_part(old, new)
    shown = unified_diff(old[part_old].decode(), new[part_new].decode(), line)
    assert shown == unified_diff(old.decode(), new.decode())


def test_only_the_differing_part_and_its_context_are_compared() -> None:
    old = b"".join(b"%d\n" % number for number in range(100))
    line, part_old, part_new = diff.differing_part(old, old.replace(b"50\n", b"x\n"))
    assert line == 47
    assert (old[part_old], old[part_new]) == (b"47\n48\n49\n50\n51\n52\n53\n", b"47\n48\n49\n50\n51\n52\n53")


@given(st.text(alphabet="ab\n\r"), st.text(alphabet="ab\n\r"))
def test_a_diff_is_empty_only_for_equal_texts(old: str, new: str) -> None:
    assert (unified_diff(old, new) == "") == (old == new)
