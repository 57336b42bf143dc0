from pathlib import Path

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import (
    Added,
    Deleted,
    FileState,
    MemoryFileSystem,
    PatchError,
    PatchMatchError,
    PatchPlan,
    PatchReadError,
    Updated,
    parse_patch,
    plan,
    plan_patch,
    sources,
)
from core.patch.build import added, deleted, memory, state, updated, wrapped

ROOT = Path("/w")


def planned(files: dict[str, str], body: str, directory: Path = ROOT) -> PatchPlan:
    disk = memory({ROOT / name: text for name, text in files.items()})
    before = dict(disk.files)
    result = anyio.run(plan_patch, parse_patch(wrapped(body)), disk, directory)
    assert disk.files == before
    return result


def test_a_plan_contains_the_texts_before_and_after() -> None:
    body = (
        "*** Add File: new\n+n\n*** Add File: old\n+o\n*** Delete File: gone\n"
        "*** Update File: a\n-1\n+2\n*** Update File: b\n*** Move to: d/c\n*** Update File: e\n*** Move to: f\n-5\n+6"
    )
    files = {"old": "before\n", "gone": "g\n", "a": "1\n", "b": "3\n", "e": "5\n", "f": "7\n"}
    assert planned(files, body).edits == (
        added(ROOT / "new", "n\n"),
        added(ROOT / "old", "o\n", "before\n"),
        deleted(ROOT / "gone", "g\n"),
        updated(ROOT / "a", "1\n", "2\n"),
        updated(ROOT / "b", "3\n", "3\n", ROOT / "d/c"),
        updated(ROOT / "e", "5\n", "6\n", ROOT / "f", "7\n"),
    )


def test_every_path_that_is_written_or_deleted_is_listed() -> None:
    body = "*** Update File: a\n*** Move to: b\n*** Delete File: c\n*** Add File: d\n+x"
    assert planned({"a": "x\n", "c": "x\n"}, body).paths == [ROOT / name for name in "abcd"]


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("x", "/w/d/x"),
        ("/abs/x", "/abs/x"),
        ("../up/./x", "/w/up/x"),
        ("a/../../x", "/w/x"),
        ("../../../../x", "/x"),
        ("//x", "/x"),
        ("/a//b/", "/a/b"),
    ],
)
def test_paths_are_resolved_as_text_from_the_directory(path: str, resolved: str) -> None:
    assert planned({}, f"*** Add File: {path}\n+x", ROOT / "d").paths == [Path(resolved)]


def test_a_move_target_is_resolved_from_the_directory_too() -> None:
    body = "*** Update File: a\n*** Move to: ../b"
    assert planned({"d/a": "x\n"}, body, ROOT / "d").paths == [ROOT / "d/a", ROOT / "b"]


@pytest.mark.parametrize(
    ("files", "body", "last"),
    [
        ({"a": "1\n2\n"}, "*** Update File: a\n-1\n+3\n*** Update File: a\n-3\n+4", "4\n2\n"),
        ({}, "*** Add File: a\n+x\n*** Update File: a\n-x\n+y", "y\n"),
        ({"a": "x\n"}, "*** Delete File: a\n*** Add File: a\n+y", "y\n"),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: b\n*** Update File: b\n-x\n+y", "y\n"),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: ./a\n-x\n+y", "y\n"),
        ({"a": "x\n"}, "*** Delete File: a\n*** Add File: a/b\n+y", "y\n"),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: a2\n*** Add File: a/b/c\n+y", "y\n"),
    ],
)
def test_a_hunk_sees_the_effects_of_earlier_hunks(files: dict[str, str], body: str, last: str) -> None:
    edit = planned(files, body).edits[-1]
    assert isinstance(edit, Added | Updated)
    assert edit.new == state(last)


def test_a_hunk_replaces_what_an_earlier_one_wrote() -> None:
    body = "*** Add File: a\n+x\n*** Add File: a\n+y\n*** Update File: b\n*** Move to: a"
    assert planned({"b": "b\n"}, body).edits[1:] == (
        added(ROOT / "a", "y\n", "x\n"),
        updated(ROOT / "b", "b\n", "b\n", ROOT / "a", "y\n"),
    )


UPDATE_A = "*** Update File: a\n-x\n+y"


@pytest.mark.parametrize(
    ("files", "body", "error", "message"),
    [
        ({"a": "1\n"}, UPDATE_A, PatchMatchError, "Failed to find expected lines in /w/a:\nx"),
        ({"a": "1\n"}, "*** Update File: a\n@@ c\n-x", PatchMatchError, "Failed to find context 'c' in /w/a"),
        ({}, UPDATE_A, PatchReadError, "Failed to read file to update /w/a: No such file or directory"),
        ({"a/b": ""}, UPDATE_A, PatchReadError, "Failed to read file to update /w/a: Is a directory"),
        ({}, "*** Delete File: a", PatchReadError, "Failed to delete file /w/a: No such file or directory"),
        ({"a/b": ""}, "*** Delete File: a", PatchReadError, "Failed to delete file /w/a: Is a directory"),
        ({"a/b": ""}, "*** Add File: a\n+x", PatchReadError, "Failed to write file /w/a: Is a directory"),
        (
            {"a": ""},
            "*** Add File: a/b/c\n+x",
            PatchReadError,
            "Failed to write file /w/a/b/c: Not a directory",
        ),
        (
            {"a": "x\n", "b": ""},
            "*** Update File: a\n*** Move to: b/c",
            PatchReadError,
            "Failed to write file /w/b/c: Not a directory",
        ),
        (
            {"a": "x\n"},
            "*** Delete File: a\n*** Delete File: a",
            PatchReadError,
            "Failed to delete file /w/a: it was deleted or moved earlier in this patch",
        ),
        (
            {"a": "x\n"},
            f"*** Update File: a\n*** Move to: b\n{UPDATE_A}",
            PatchReadError,
            "Failed to read file to update /w/a: it was deleted or moved earlier in this patch",
        ),
        (
            {"a": "x\n"},
            "*** Delete File: a\n*** Update File: a/b\n-x",
            PatchReadError,
            "Failed to read file to update /w/a/b: No such file or directory",
        ),
        (
            {},
            "*** Add File: a\n+x\n*** Add File: a/b/c\n+y",
            PatchReadError,
            "Failed to write file /w/a/b/c: Not a directory",
        ),
        (
            {},
            "*** Add File: a/b/c\n+y\n*** Delete File: a/b/c\n*** Add File: a/b\n+x",
            PatchReadError,
            "Failed to write file /w/a/b: Is a directory",
        ),
        (
            {"a": "x\n"},
            "*** Update File: a\n-x\n+x\n*** Update File: a\n x",
            PatchMatchError,
            "No files were modified. The old and the new lines of the patch are the same.",
        ),
    ],
)
def test_a_patch_that_does_not_fit_is_reported(
    files: dict[str, str], body: str, error: type[PatchError], message: str
) -> None:
    with pytest.raises(error) as caught:
        planned(files, body)
    assert str(caught.value) == message


def test_one_hunk_that_changes_nothing_does_not_stop_the_others() -> None:
    body = "*** Update File: a\n x\n*** Add File: b\n+x"
    assert planned({"a": "x\n"}, body).edits == (updated(ROOT / "a", "x\n", "x\n"), added(ROOT / "b", "x\n"))


def test_an_error_without_a_message_is_named_by_its_type() -> None:
    class Broken(MemoryFileSystem):
        async def read(self, path: Path) -> FileState | None:
            raise OSError(f"{path.name}: the editor is gone")

    with pytest.raises(PatchReadError, match=r"^Failed to read file to update /w/a: a: the editor is gone$"):
        anyio.run(plan_patch, parse_patch(wrapped(UPDATE_A)), Broken({ROOT / "a": state("x\n")}), ROOT)


def test_a_plan_holds_a_bounded_amount_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MAX_WRITTEN_BYTES", 48)
    body = "*** Update File: a\n-x\n+y\n*** Update File: a\n-y\n+x\n"
    assert len(planned({"a": "x\n" * 12}, body).edits) == 2
    with pytest.raises(PatchReadError, match="would write more than 48 bytes: split it"):
        planned({"a": "x\n" * 12}, body * 2)


def test_a_file_that_is_not_text_cannot_be_updated() -> None:
    disk = MemoryFileSystem({ROOT / "a": FileState(b"x\n\0\0\n")})
    with pytest.raises(PatchReadError, match=r"^Failed to read file to update /w/a: "):
        anyio.run(plan_patch, parse_patch(wrapped(UPDATE_A)), disk, ROOT)


def test_deleted_files_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MAX_WRITTEN_BYTES", 4)
    body = "*** Delete File: a\n*** Delete File: b\n*** Add File: c\n+123\n"
    assert len(planned({"a": "x" * 9, "b": "x" * 9}, body).edits) == 3


def test_bytes_that_are_not_utf_8_are_written_unchanged() -> None:
    patch = parse_patch(wrapped("*** Add File: a\n+\udcff"))
    (edit,) = anyio.run(plan_patch, patch, memory({}), ROOT).edits
    assert edit == Added(ROOT / "a", FileState(b"\xff\n"), None)


def test_a_moved_link_is_recorded_as_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1\n")
    (tmp_path / "link").symlink_to("file")
    patch = parse_patch(wrapped("*** Update File: link\n*** Move to: moved\n-1\n+2"))
    (edit,) = anyio.run(plan_patch, patch, LocalFileSystem(), tmp_path).edits
    assert isinstance(edit, Updated)
    assert (edit.path, edit.move_to) == (tmp_path / "link", tmp_path / "moved")
    assert (edit.old.data, edit.new.data) == (b"1\n", b"2\n")
    assert edit.link is not None
    assert (edit.link.data, edit.link.link) == (b"file", True)


def test_replaced_files_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_READ_BYTES", 100)
    with pytest.raises(PatchReadError, match="have more than 100 bytes in total"):
        planned({"a": "x" * 101}, "*** Add File: a\n+y")


@pytest.mark.parametrize(
    ("moved", "overwritten", "mode"),
    [
        (0o600, None, 0o600),
        (0o755, None, 0o755),
        (0o755, 0o640, 0o640),
        (0o644, 0o755, 0o744),
        (0o600, 0o755, 0o700),
        (0o600, 0o644, 0o600),
        (None, 0o644, 0o644),
    ],
)
def test_a_moved_file_keeps_its_permissions_and_an_overwritten_one_never_becomes_more_accessible(
    moved: int | None, overwritten: int | None, mode: int
) -> None:
    files = {ROOT / "a": FileState(b"x\n", moved, (1, 2))}
    if overwritten is not None:
        files[ROOT / "b"] = FileState(b"old\n", overwritten, (3, 4))
    patch = parse_patch(wrapped("*** Update File: a\n*** Move to: b\n-x\n+y"))
    (edit,) = anyio.run(plan_patch, patch, MemoryFileSystem(files), ROOT).edits
    assert isinstance(edit, Updated)
    assert edit.new == FileState(b"y\n", mode, (1, 2) if overwritten is None else (3, 4))


ORIGIN = ("user.origin", b"https://x")
ACCESS_LIST = ("system.posix_acl_access", b"entries")


@pytest.mark.parametrize(
    ("moved", "overwritten", "mode"),
    [
        ((), (), 0o664),
        ((ORIGIN,), (ORIGIN,), 0o664),
        ((ACCESS_LIST,), (), 0o604),
        ((), (ORIGIN, ACCESS_LIST), 0o604),
    ],
)
def test_a_file_that_a_move_overwrites_loses_its_attributes_and_opens_nothing_without_its_access_list(
    moved: tuple[tuple[str, bytes], ...], overwritten: tuple[tuple[str, bytes], ...], mode: int
) -> None:
    files = {
        ROOT / "a": FileState(b"x\n", 0o664, attributes=moved),
        ROOT / "b": FileState(b"old\n", 0o664, attributes=overwritten),
    }
    patch = parse_patch(wrapped("*** Update File: a\n*** Move to: b\n-x\n+y"))
    (edit,) = anyio.run(plan_patch, patch, MemoryFileSystem(files), ROOT).edits
    assert isinstance(edit, Updated)
    assert (edit.new.mode, edit.new.attributes) == (mode, ())


@pytest.mark.parametrize("body", ["*** Add File: a\n+y", "*** Update File: a\n-x\n+y"])
def test_a_changed_file_keeps_its_permissions_and_its_owner(body: str) -> None:
    files = MemoryFileSystem({ROOT / "a": FileState(b"x\n", 0o750, (1, 2))})
    (edit,) = anyio.run(plan_patch, parse_patch(wrapped(body)), files, ROOT).edits
    assert not isinstance(edit, Deleted)
    assert edit.new == FileState(b"y\n", 0o750, (1, 2))
