import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import Added, Deleted, FileState, Updated, git_format
from code_core.protocol.items import CustomToolCall
from code_core.tools import turn_changes
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.tool import ToolContext
from code_core.tools.turn_changes import TurnChanges

ROOT = Path("/w")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")


@pytest.fixture
def changes(tmp_path: Path) -> TurnChanges:
    return TurnChanges(ROOT, tmp_path / "conversation/turn")


def kept(tmp_path: Path) -> list[bytes]:
    return sorted(file.read_bytes() for file in (tmp_path / "conversation/turn").iterdir())


def test_versions_are_private_files_while_they_are_needed(changes: TurnChanges, tmp_path: Path) -> None:
    changes.add([Updated(ROOT / "a", FileState(b"1\n"), FileState(b"2\n"))])
    assert kept(tmp_path) == [b"1\n", b"2\n"]
    changes.add(
        [Updated(ROOT / "a", FileState(b"2\n"), FileState(b"3\n")), Added(ROOT / "b", FileState(b"1\n"))]
    )
    assert kept(tmp_path) == [b"1\n", b"3\n"]
    folder = tmp_path / "conversation/turn"
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]
    assert "-1\n+3\n" in changes.diff()
    changes.close()
    assert not folder.exists()


def test_a_turn_without_changes_leaves_nothing_on_disk(changes: TurnChanges, tmp_path: Path) -> None:
    assert changes.diff() == ""
    changes.close()
    assert [*tmp_path.iterdir()] == []


def test_without_edits_there_are_no_changes(tmp_path: Path) -> None:
    changes = TurnChanges(ROOT, tmp_path / "a/b/c/turn")
    changes.add([])
    assert changes.diff() == ""
    changes.add([Added(ROOT / "a", FileState(b"1\n"))])
    assert changes.diff().endswith("+1\n")


def test_an_executable_file_stays_one_in_the_diff(changes: TurnChanges) -> None:
    changes.add([Added(ROOT / "a", FileState(b"1\n", 0o755)), Added(ROOT / "b", FileState(b"1\n", 0o644))])
    assert "new file mode 100755\n" in changes.diff()
    assert "new file mode 100644\n" in changes.diff()


def test_files_left_by_a_crash_are_removed(changes: TurnChanges, tmp_path: Path) -> None:
    folder = tmp_path / "conversation/turn"
    folder.mkdir(parents=True)
    (folder / "old").write_text("old")
    changes.add([Added(ROOT / "a", FileState(b"1\n"))])
    assert kept(tmp_path) == [b"1\n"]


def test_only_hashes_stay_in_memory(changes: TurnChanges) -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        for number in range(20):
            changes.add([Added(ROOT / f"{number}", FileState(os.urandom(2**20)))])
        assert tracemalloc.get_traced_memory()[0] < 2**20
    finally:
        tracemalloc.stop()


def test_diffs_are_shown_if_they_fit(changes: TurnChanges, monkeypatch: pytest.MonkeyPatch) -> None:
    changes.add([Added(ROOT / "a", FileState(b"1\n"))])
    first = changes.diff()
    changes.add([Added(ROOT / "b", FileState(b"2\n"))])
    monkeypatch.setattr(turn_changes, "MAX_DIFF_CHARS", len(first))
    monkeypatch.setattr(turn_changes, "MAX_FILE_DIFF_CHARS", len(first))
    assert changes.diff().endswith("+2\n")
    monkeypatch.setattr(turn_changes, "MAX_DIFF_CHARS", len(first) - 1)
    assert changes.diff() == (
        first + "[b: not shown, because the diffs of this turn are too large together]\n"
    )


def test_large_diffs_are_replaced_by_a_notice(changes: TurnChanges) -> None:
    changes.add(
        [Added(ROOT / "large", FileState(b"x" * 2**18 + b"\n")), Added(ROOT / "small", FileState(b"y\n"))]
    )
    diff = changes.diff()
    assert diff.startswith("[large: its diff has 262,")
    assert diff.endswith("@@ -0,0 +1 @@\n+y\n")
    assert len(diff) < 400


def test_a_large_file_with_a_small_change_is_shown(changes: TurnChanges) -> None:
    lines = b"".join(b"%d\n" % number for number in range(2**20))
    changes.add([Updated(ROOT / "a", FileState(lines), FileState(lines.replace(b"\n500000\n", b"\nx\n")))])
    assert changes.diff().endswith(
        "@@ -499998,7 +499998,7 @@\n 499997\n 499998\n 499999\n-500000\n+x\n 500001\n 500002\n 500003\n"
    )


def test_the_total_length_of_diffs_is_limited(changes: TurnChanges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_changes, "MAX_DIFF_CHARS", 400)
    changes.add([Added(ROOT / f"{number}", FileState(b"x\n")) for number in range(5)])
    diff = changes.diff()
    assert diff.count("+x\n") == 3
    assert diff.endswith(
        "[3: not shown, because the diffs of this turn are too large together]\n"
        "[4: not shown, because the diffs of this turn are too large together]\n"
    )


def test_a_change_too_large_to_compare_becomes_a_notice(
    changes: TurnChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_format, "MAX_COMPARED_BYTES", 100)
    old, new = FileState(b"a\n" * 60), FileState(b"b\n" * 60)
    changes.add([Updated(ROOT / 'a "x"', old, new)])
    assert changes.diff() == '["a \\"x\\"": its diff is too large to be shown]\n'


@pytest.mark.parametrize(
    ("old", "new", "header"),
    [
        (None, FileState(b"#!\n", 0o755), "new file mode 100755\n"),
        (FileState(b"#!\n", 0o700), None, "deleted file mode 100755\n"),
        (FileState(b"x", link=True), None, "deleted file mode 120000\n"),
        (FileState(b"#!\n", 0o755), FileState(b"#!\n", 0o644), "old mode 100755\nnew mode 100644\n"),
        (FileState(b"x\n", 0o600), FileState(b"y\n", 0o755), "old mode 100644\nnew mode 100755\nindex "),
    ],
)
def test_modes_are_shown(
    changes: TurnChanges, old: FileState | None, new: FileState | None, header: str
) -> None:
    edit = Deleted(ROOT / "f", old) if old and not new else None
    changes.add(
        [edit or (Updated(ROOT / "f", old, new) if old and new else Added(ROOT / "f", new or FileState(b"")))]
    )
    assert changes.diff().startswith(f"diff --git a/f b/f\n{header}")


def test_permissions_that_git_does_not_record_are_not_a_change(changes: TurnChanges) -> None:
    changes.add([Updated(ROOT / "f", FileState(b"x\n", 0o644), FileState(b"x\n", 0o600))])
    assert changes.diff() == ""


def test_a_link_that_becomes_a_file_is_two_changes(changes: TurnChanges) -> None:
    changes.add([Deleted(ROOT / "f", FileState(b"to", link=True)), Added(ROOT / "f", FileState(b"x\n"))])
    diff = changes.diff()
    assert diff.index("deleted file mode 120000") < diff.index("new file mode 100644")


def test_a_moved_link_is_a_deleted_link_and_a_new_file(changes: TurnChanges) -> None:
    link = FileState(b"a", link=True)
    changes.add([Updated(ROOT / "l", FileState(b"x\n"), FileState(b"y\n"), ROOT / "b", None, link)])
    diff = changes.diff()
    assert "diff --git a/l b/l\ndeleted file mode 120000\n" in diff
    assert "diff --git a/b b/b\nnew file mode 100644\n" in diff


def git(directory: Path, *arguments: str, text: str | None = None) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@needs_git
def test_git_applies_the_diff_of_a_turn_from_the_root(
    tool_context: ToolContext, emitted: Any, tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    (root / "sub/d").mkdir(parents=True)
    (root / "run.sh").write_text("#!/bin/sh\necho 1\n")
    (root / "run.sh").chmod(0o755)
    (root / "sub/a").write_text("1\n2")
    (root / "sub/only-moves").write_text("m\n")
    (root / "sub/d/gone").write_text("x\n")
    (root / "sub/link").symlink_to("a")
    (root / "sub/large").write_text("".join(f"{number}\n" for number in range(60_000)))
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    changes = TurnChanges(root, tmp_path / "turn")
    context = replace(tool_context, cwd=root / "sub", changes=lambda: changes)
    patch = """*** Begin Patch
*** Update File: ../run.sh
*** Move to: bin/run.sh
-echo 1
+echo 2
*** Update File: a
-1
+one
*** Update File: only-moves
*** Move to: d/moved
*** Delete File: d/gone
*** Delete File: link
*** Add File: new/b c
+x
*** Add File: large
+replaced
*** End Patch"""
    call = CustomToolCall(name="apply_patch", input=patch, call_id="p")
    assert anyio.run(ApplyPatch(LocalFileSystem()).call, call, context).success
    diff = emitted.events[-1].unified_diff
    assert "rename from run.sh\nrename to sub/bin/run.sh\n" in diff
    assert "[sub/large: its diff has " in diff
    git(root, "add", "-A")
    wanted = git(root, "diff", "--cached", "--", ":!sub/large")
    git(root, "reset", "-q", "--hard")
    git(root, "apply", "--index", text=diff)
    assert git(root, "diff", "--cached", "--", ":!sub/large") == wanted


def test_closing_removes_only_its_own_versions(changes: TurnChanges, tmp_path: Path) -> None:
    folder = tmp_path / "conversation/turn"
    folder.mkdir(parents=True)
    changes.close()
    assert folder.exists()
    changes.add([Added(ROOT / "a", FileState(b"1\n"))])
    shutil.rmtree(folder)
    changes.close()


def test_a_patch_that_does_not_fit_has_failed(tool_context: ToolContext) -> None:
    patch = "*** Begin Patch\n*** Delete File: missing\n*** End Patch"
    call = CustomToolCall(name="apply_patch", input=patch, call_id="p1")
    assert not anyio.run(ApplyPatch(LocalFileSystem()).call, call, tool_context).success
