from pathlib import Path

import pytest

from code_core.patch import Added, Deleted, FileEdit, FileState, Updated, unified_diff
from code_core.protocol.file_changes import AddChange, DeleteChange, UpdateChange
from code_core.tools import shown_changes as module
from code_core.tools.shown_changes import is_same_change, shown_changes

F = Path("/w/f")


def state(text: str, codec: str = "utf-8") -> FileState:
    return FileState(text.encode(codec))


def test_a_file_added_over_another_is_an_update() -> None:
    (change,) = shown_changes([Added(F, state("a\nnew\n"), state("a\nold\n"))]).changes.values()
    assert isinstance(change, UpdateChange)
    assert change.update.unified_diff == "@@ -1,2 +1,2 @@\n a\n-old\n+new\n"
    assert change.update.move_path is None


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_texts_are_shown_in_their_encoding(codec: str) -> None:
    old, new = state("caf\u00e9\nold\n", codec), state("caf\u00e9\nnew\n", codec)
    shown = shown_changes([Updated(F, old, new), Added(F / "a", new), Deleted(F / "d", old)])
    assert shown.hidden == ()
    update, add, delete = shown.changes.values()
    assert isinstance(update, UpdateChange)
    assert update.update.unified_diff == "@@ -1,2 +1,2 @@\n caf\u00e9\n-old\n+new\n"
    assert isinstance(add, AddChange)
    assert add.add.content == "caf\u00e9\nnew\n"
    assert isinstance(delete, DeleteChange)
    assert delete.delete.content == "caf\u00e9\nold\n"


def test_binary_files_are_described_and_their_replacement_is_shown() -> None:
    binary = FileState(b"\0" * 1234)
    shown = shown_changes(
        [Added(F, binary), Updated(F / "m", binary, binary, F / "n"), Added(F / "o", state("x\n"), binary)]
    )
    added, moved, replaced = shown.changes.values()
    assert isinstance(added, AddChange)
    assert added.add.content == "(binary file, 1,234 bytes)\n"
    assert isinstance(moved, UpdateChange)
    assert moved.update.unified_diff == ""
    assert isinstance(replaced, UpdateChange)
    assert (
        replaced.update.unified_diff
        == "\\ Binary files differ: 1,234 bytes before, 2 after\n@@ -0,0 +1 @@\n+x\n"
    )
    assert shown.hidden == (str(F),)


def test_content_that_becomes_unreadable_is_marked_as_hidden() -> None:
    binary, text = FileState(b"echo\0\n"), state("text\n")
    assert shown_changes([Added(F, binary, text)]).hidden == (str(F),)
    assert shown_changes([Updated(F, text, binary)]).hidden == (str(F),)
    assert shown_changes([Deleted(F, binary)]).hidden == ()


def test_long_texts_are_cut_after_a_line_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANGE_CHARS", 20)
    text = "".join(f"{number}\n" for number in range(20))
    shown = shown_changes(
        [
            Added(F, state(text)),
            Updated(F / "u", state(""), state(text)),
            Deleted(F / "d", state("x" * 30)),
            Added(F / "r", state(text), state("")),
            Deleted(F / "b", state("\n" + "x" * 30)),
        ]
    )
    assert shown.hidden == (str(F), str(F / "u"), str(F / "r"))
    added, updated, deleted, replaced, blank = shown.changes.values()
    assert replaced == updated
    assert isinstance(blank, DeleteChange)
    assert blank.delete.content == "\n… 1 more line is not shown\n"
    assert isinstance(added, AddChange)
    assert (
        added.add.content
        == "".join(f"{number}\n" for number in range(10)) + "… 10 more lines are not shown\n"
    )
    assert isinstance(updated, UpdateChange)
    assert updated.update.unified_diff == "@@ -0,0 +1,20 @@\n+0\n\\ 19 more lines are not shown\n"
    assert isinstance(deleted, DeleteChange)
    assert deleted.delete.content == "… 1 more line is not shown\n"


def test_the_total_length_of_texts_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANGES_CHARS", 10)
    texts = ["1234\n", "1234\n", "12345\n", "\n"]
    shown = shown_changes([Added(F / f"{number}", state(text)) for number, text in enumerate(texts)])
    assert shown.hidden == (str(F / "2"), str(F / "3"))
    contents = [change.add.content for change in shown.changes.values() if isinstance(change, AddChange)]
    rest = "… 1 more line is not shown\n"
    assert contents == ["1234\n", "1234\n", rest, rest]


def test_a_move_shows_its_target_and_the_replaced_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(*, most: int) -> UpdateChange:
        monkeypatch.setattr(module, "MAX_CHANGE_CHARS", most)
        edit = Updated(F, state("a\n"), state("b\n"), F / "t", state("\nreplaced\nfile\n"))
        (change,) = shown_changes([edit]).changes.values()
        assert isinstance(change, UpdateChange)
        assert change.update.move_path == F / "t"
        return change

    diff = "@@ -1 +1 @@\n-a\n+b\n"
    assert moved(most=100).update.unified_diff == diff
    assert moved(most=100).update.overwritten == "\nreplaced\nfile\n"
    assert moved(most=len(diff) + 12).update.overwritten == "\nreplaced\n… 1 more line is not shown\n"
    cut = moved(most=len(diff) - 1).update
    assert cut.unified_diff == "@@ -1 +1 @@\n-a\n\\ 1 more line is not shown\n"
    assert cut.overwritten == "… 3 more lines are not shown\n"


def test_files_too_large_to_compare_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMPARED_BYTES", 10)
    assert shown_changes([Updated(F, state("a" * 5), state("b" * 5))]).hidden == ()
    edit = Updated(F, state("a" * 6), state("b" * 6))
    shown = shown_changes([edit])
    assert shown.hidden == (str(F),)
    assert not is_same_change([edit], [Updated(F, state("a" * 6), state("c" * 6))])
    (change,) = shown.changes.values()
    assert isinstance(change, UpdateChange)
    assert change.update.unified_diff == "\\ Too large to be compared: 6 bytes before, 6 after\n"


def test_a_small_change_of_a_large_file_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMPARED_BYTES", 50)
    lines = [f"{number}\n" for number in range(100)]
    old, new = "".join(lines), "".join(lines).replace("50\n", "fifty\n")
    (change,) = shown_changes([Updated(F, state(old), state(new))]).changes.values()
    assert isinstance(change, UpdateChange)
    assert change.update.unified_diff == "@@ -48,7 +48,7 @@\n 47\n 48\n 49\n-50\n+fifty\n 51\n 52\n 53\n"


def test_a_byte_order_mark_is_a_difference() -> None:
    (change,) = shown_changes([Updated(F, state("a\n"), state("a\n", "utf-8-sig"))]).changes.values()
    assert isinstance(change, UpdateChange)
    assert change.update.unified_diff == "@@ -1 +1 @@\n-a\n+\ufeffa\n"


def test_lines_of_wide_text_are_split_by_characters() -> None:
    """The bytes of `\u010a` and `\u0a0a` have those of a newline in them."""
    lines = [f"\u010a\u0a0a{number}\n" for number in range(9)]
    old, new = "".join(lines), "".join(lines).replace("4", "four")
    (change,) = shown_changes([Updated(F, state(old, "utf-16"), state(new, "utf-16"))]).changes.values()
    assert isinstance(change, UpdateChange)
    assert change.update.unified_diff == unified_diff(old, new)


TEN = "".join(f"{number}\n" for number in range(10))


def update(old: str, new: str, to: Path | None = None, overwritten: str | None = None) -> Updated:
    return Updated(F, state(old), state(new), to, None if overwritten is None else state(overwritten))


@pytest.mark.parametrize(
    ("edit", "other", "same"),
    [
        (update(TEN, TEN.replace("5", "x")), update("top\n" + TEN, "top\n" + TEN.replace("5", "x")), True),
        (update(TEN, TEN.replace("5", "x")), update(TEN, TEN.replace("5", "y")), False),
        (
            update(TEN, TEN.replace("5", "x")),
            update(TEN.replace("6", "z"), TEN.replace("6", "z").replace("5", "x")),
            False,
        ),
        (update("a\n", "b\n", F / "t"), update("a\n", "b\n", F / "t"), True),
        (update("a\n", "b\n", F / "t"), update("a\n", "b\n", F / "u"), False),
        (update("a\n", "b\n", F / "t"), update("a\n", "b\n"), False),
        (update("a\n", "b\n", F / "t", "x"), update("a\n", "b\n", F / "t", "y"), False),
        (update("a\n", "b\n", F / "t"), update("a\n", "b\n", F / "t", ""), False),
        (update("a\n", "b\n\0"), update("a\n", "c\n\0"), False),  # nobody has seen either
        (Deleted(F, state("a")), Deleted(F, state("a")), True),
        (Deleted(F, state("a")), Deleted(F, state("b")), False),
        (Added(F, state("a")), Added(F, state("a"), state("")), False),
        (Added(F, state("a"), state("b")), Added(F, state("a"), state("c")), False),
        (Added(F, state("a")), Deleted(F, state("a")), False),
    ],
)
def test_the_same_change_on_other_lines_is_the_same(edit: FileEdit, other: FileEdit, same: bool) -> None:
    assert is_same_change([edit], [other]) == same
    assert not is_same_change([edit], [other, other])


def test_several_edits_of_a_file_are_shown_as_one() -> None:
    one, two, three = state("1\n2\n"), state("one\n2\n"), state("one\ntwo\n")
    edits: list[FileEdit] = [Updated(F, one, two), Added(F / "x", one), Updated(F, two, three)]
    update, added = shown_changes(edits).changes.values()
    assert isinstance(update, UpdateChange)
    assert update.update.unified_diff == "@@ -1,2 +1,2 @@\n-1\n-2\n+one\n+two\n"
    assert isinstance(added, AddChange)
    binary = Updated(F, one, FileState(b"\0"))
    assert shown_changes([Updated(F, three, one), binary]).hidden == (str(F),)
    assert shown_changes([Added(F, one), Deleted(F, one)]).changes == {}


def test_links_and_modes_are_shown() -> None:
    link = FileState(b"target", link=True)
    (deleted,) = shown_changes([Deleted(F, link)]).changes.values()
    assert isinstance(deleted, DeleteChange)
    assert (deleted.delete.content, deleted.delete.link) == ("target", "target")
    old, new = FileState(b"x\n", 0o644), FileState(b"x\n", 0o744)
    (moved,) = shown_changes([Updated(F, old, new, F / "t", link=link)]).changes.values()
    assert isinstance(moved, UpdateChange)
    assert moved.update.modes == ("100644", "100755")
    assert moved.update.link == "target"
    (narrowed,) = shown_changes([Updated(F, old, FileState(b"x\n", 0o600), F / "t")]).changes.values()
    assert isinstance(narrowed, UpdateChange)
    assert (narrowed.update.modes, narrowed.update.link) == (None, None)


def test_a_long_target_of_a_link_that_moves_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANGE_CHARS", 5)
    link = FileState(b"target", link=True)
    (moved,) = shown_changes([Updated(F, state("x\n"), state("x\n"), F / "t", link=link)]).changes.values()
    assert isinstance(moved, UpdateChange)
    assert moved.update.link == "… 1 more line is not shown\n"
