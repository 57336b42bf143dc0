import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.patch import AddFile, Chunk, DeleteFile, PatchError, PatchSyntaxError, UpdateFile, parse_patch

UPDATE = "*** Update File: a.py\n@@\n-old\n+new"
UPDATED = (UpdateFile("a.py", None, (Chunk((), ("old",), ("new",)),)),)


def wrapped(body: str) -> str:
    return f"*** Begin Patch\n{body}\n*** End Patch"


def one_chunk(body: str) -> Chunk:
    (hunk,) = parse_patch(wrapped(f"*** Update File: a.py\n{body}")).hunks
    assert isinstance(hunk, UpdateFile)
    (chunk,) = hunk.chunks
    return chunk


def test_all_kinds_of_hunks_in_order() -> None:
    patch = parse_patch(
        wrapped(
            "*** Add File: new.txt\n+one\n+\n+two\n*** Delete File: old.txt\n"
            "*** Update File: a.py\n*** Move to: b.py\n@@ def f():\n keep\n-out\n+in"
        )
    )
    assert patch.hunks == (
        AddFile("new.txt", "one\n\ntwo\n"),
        DeleteFile("old.txt"),
        UpdateFile("a.py", "b.py", (Chunk(("def f():",), ("keep", "out"), ("keep", "in")),)),
    )


def test_the_first_chunk_needs_no_marker_and_the_others_do() -> None:
    (hunk,) = parse_patch(wrapped("*** Update File: a.py\n-a\n+b\n@@\n-c\n+d")).hunks
    assert isinstance(hunk, UpdateFile)
    assert [chunk.old_lines for chunk in hunk.chunks] == [("a",), ("c",)]


def test_several_contexts_narrow_down_one_chunk() -> None:
    assert one_chunk("@@ class A\n@@ def f\n-x\n+y").context == ("class A", "def f")


def test_an_empty_line_is_an_empty_context_line() -> None:
    assert one_chunk("@@\n a\n\n-b\n+c").old_lines == ("a", "", "b")


def test_empty_lines_between_hunks_belong_to_none() -> None:
    patch = parse_patch(wrapped("*** Update File: a\n@@\n-x\n+y\n\n*** Delete File: b\n"))
    assert patch.hunks == (UpdateFile("a", None, (Chunk((), ("x",), ("y",)),)), DeleteFile("b"))


def test_end_of_file_marks_its_chunk() -> None:
    assert one_chunk("@@\n-x\n+y\n*** End of File").end_of_file
    assert not one_chunk("@@\n-x\n+y").end_of_file


def test_a_move_needs_no_chunk() -> None:
    assert parse_patch(wrapped("*** Update File: a\n*** Move to: b")).hunks == (UpdateFile("a", "b", ()),)


def test_an_added_file_may_be_empty() -> None:
    assert parse_patch(wrapped("*** Add File: empty")).hunks == (AddFile("empty", ""),)


def test_headers_are_trimmed() -> None:
    assert parse_patch(wrapped("  *** Delete File:   a b.txt  ")).hunks == (DeleteFile("a b.txt"),)


@pytest.mark.parametrize(
    "text",
    [
        f"<<EOF\n{wrapped(UPDATE)}\nEOF",
        f"<<'EOF'\n{wrapped(UPDATE)}\nEOF\n",
        f'<<"PATCH"\n{wrapped(UPDATE)}\nPATCH',
        f"apply_patch <<'EOF'\n{wrapped(UPDATE)}\nEOF",
        f"```\n{wrapped(UPDATE)}\n```",
        json.dumps({"command": ["apply_patch", wrapped(UPDATE)]}),
        json.dumps({"patch": wrapped(UPDATE)}),
        json.dumps({"input": wrapped(UPDATE)}),
        json.dumps({"input": {"patch": wrapped(UPDATE)}}),
        json.dumps(["apply_patch", wrapped(UPDATE)]),
        json.dumps(wrapped(UPDATE)),
        "\n\n" + wrapped(UPDATE) + "\n\n",
        wrapped(UPDATE).replace("\n", "\r\n"),
        "  *** Begin Patch  \n" + UPDATE + "\n  *** End Patch ",
        "\n".join("    " + line for line in wrapped(UPDATE).split("\n")),
        "*** Begin Patch\n" + UPDATE + "*** End Patch",
        wrapped("*** Environment ID: 1\n" + UPDATE),
        wrapped(UPDATE.replace("@@", "@@ -1,3 +1,4 @@")),
        wrapped(UPDATE.replace("@@", "@@ -1 +1 @@ def f():")),
    ],
)
def test_mistakes_that_leave_no_doubt_are_forgiven(text: str) -> None:
    assert parse_patch(text).hunks == UPDATED


def test_a_context_line_without_its_space_is_context() -> None:
    assert one_chunk("@@\ndef f():\n-    x\n+    y") == Chunk(
        (), ("def f():", "    x"), ("def f():", "    y")
    )


def test_forgiveness_does_not_change_what_a_good_patch_means() -> None:
    patch = parse_patch(wrapped("*** Add File: notes\n+*** End Patch\n+*** Update File: x\n+@@"))
    assert patch.hunks == (AddFile("notes", "*** End Patch\n*** Update File: x\n@@\n"),)
    chunk = one_chunk("@@\n *** Delete File: x\n-*** End Patch\n+  *** End of File")
    assert chunk.old_lines == ("*** Delete File: x", "*** End Patch")
    assert chunk.new_lines == ("*** Delete File: x", "  *** End of File")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line must be '*** Begin Patch'"),
        ("please edit a.py", "please edit a.py"),
        ("*** Begin Patch", "last line must be '*** End Patch'"),
        ("*** Begin Patch\n" + UPDATE, "last line must be '*** End Patch'"),
        (wrapped(""), "No files were modified."),
        (wrapped("hello"), "Invalid patch hunk on line 2: 'hello' is not a file header"),
        (wrapped("*** Update File: a"), "line 3: the update of 'a' changes nothing"),
        (wrapped("*** Update File: a\n@@"), "line 3: a chunk has no lines"),
        (wrapped("*** Update File:"), "line 2: '*** Update File:' has no path"),
        (wrapped("*** Delete File: a\0b"), "line 2: a path has a NUL character"),
        (wrapped("*** Add File: a\n+x\ny"), "line 4: every line of an added file must begin with +"),
        (wrapped("*** Delete File: a\nstray"), "line 3: 'stray' is not a file header"),
        (wrapped("*** Update File: a\n-x\n+y\n*** End of File\n-z"), "line 6: a chunk must begin with @@"),
        ("{" + "x" * 16 * 2**20, "the limit is 16,777,216"),
    ],
)
def test_what_is_not_a_patch_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PatchSyntaxError) as caught:
        parse_patch(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 3_000


PIECES = st.sampled_from(
    ["*** Begin Patch", "*** End Patch", "*** Update File: a", "*** Add File: b", "*** Delete File: c"]
    + ["*** Move to: d", "@@", "@@ x", "+a", "-b", " c", "", "*** End of File", "<<EOF", "EOF", "{", "zz"]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("\n".join)))
def test_any_text_is_a_patch_or_a_patch_error(text: str) -> None:
    try:
        assert parse_patch(text).hunks
    except PatchError as error:
        assert str(error)
