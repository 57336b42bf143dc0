import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.patch import (
    AddFile,
    Chunk,
    DeleteFile,
    PatchError,
    PatchSyntaxError,
    UpdateFile,
    parse_patch,
)
from core.patch.build import apply_to_text, chunk, wrapped
from core.patch.timing import seconds

UPDATE = "*** Update File: a.py\n@@\n-old\n+new"
UPDATED = (UpdateFile("a.py", None, (chunk("-old", "+new"),)),)


def chunks(body: str) -> tuple[Chunk, ...]:
    (hunk,) = parse_patch(wrapped(f"*** Update File: a.py\n{body}")).hunks
    assert isinstance(hunk, UpdateFile)
    return hunk.chunks


def indented(text: str, indent: str = "    ") -> str:
    return "\n".join(indent + line for line in text.split("\n"))


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
        UpdateFile("a.py", "b.py", (chunk(" keep", "-out", "+in", context=("def f():",)),)),
    )


def test_a_chunk_has_old_and_new_lines() -> None:
    one = chunk(" keep", "-out", "+in", " ")
    assert one.old_lines == ("keep", "out", "")
    assert one.new_lines == ("keep", "in", "")


def test_the_first_chunk_needs_no_marker_and_the_others_do() -> None:
    assert chunks("-a\n+b\n@@\n-c\n+d") == (chunk("-a", "+b"), chunk("-c", "+d"))
    with pytest.raises(PatchSyntaxError, match=r"line 6: a chunk must begin with @@, and '-c' does not"):
        chunks("-a\n+b\n*** End of File\n-c")


def test_several_contexts_narrow_down_one_chunk() -> None:
    assert chunks("@@ class A\n@@   def f\n-x")[0].context == ("class A", "  def f")


def test_a_completely_empty_line_is_an_empty_context_line() -> None:
    assert chunks("@@\n a\n\n-b\n+c\n") == (chunk(" a", " ", "-b", "+c", " "),)


@pytest.mark.parametrize("body", ["\n-x\n+y", "\n\n@@\n-x\n+y", "@@\n-x\n+y\n*** End of File\n\n  \n"])
def test_empty_lines_around_chunks_are_ignored(body: str) -> None:
    assert [one.lines for one in chunks(body)] == [("-x", "+y")]


def test_empty_lines_between_hunks_do_not_keep_the_chunk_from_fitting() -> None:
    patch = parse_patch(wrapped("\n*** Update File: a\n@@\n-x\n+y\n\n\n*** Delete File: b\n\n"))
    first, second = patch.hunks
    assert isinstance(first, UpdateFile)
    assert apply_to_text("x\nz\n", first.chunks, "a") == "y\nz\n"
    assert second == DeleteFile("b")


def test_end_of_file_marks_its_chunk() -> None:
    assert [one.end_of_file for one in chunks("@@\n-x\n@@\n-y\n*** End of File")] == [False, True]


def test_a_move_needs_no_chunk() -> None:
    assert parse_patch(wrapped("*** Update File: a\n*** Move to: b\n\n")).hunks == (UpdateFile("a", "b", ()),)


def test_an_added_file_may_be_empty() -> None:
    assert parse_patch(wrapped("*** Add File: empty")).hunks == (AddFile("empty", ""),)


def test_headers_are_trimmed() -> None:
    assert parse_patch(wrapped("*** Delete File:   a b.txt  ")).hunks == (DeleteFile("a b.txt"),)
    assert parse_patch(wrapped("*** Delete File: a\n   *** Delete File: b")).hunks == (
        DeleteFile("a"),
        DeleteFile("b"),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"<<EOF\n{wrapped(UPDATE)}\nEOF", id="heredoc"),
        pytest.param(f"<<'EOF'\n{wrapped(UPDATE)}\nEOF\n", id="heredoc in single quotes"),
        pytest.param(f'<<"PATCH"\n{wrapped(UPDATE)}\nPATCH', id="heredoc in double quotes"),
        pytest.param(f"apply_patch <<'EOF'\n{wrapped(UPDATE)}\nEOF", id="heredoc with the command"),
        pytest.param(f"```\n{wrapped(UPDATE)}\n```", id="code fence"),
        pytest.param(f"```diff\n\n{wrapped(UPDATE)}\n\n```", id="code fence with a language"),
        pytest.param(json.dumps({"command": ["apply_patch", wrapped(UPDATE)]}), id="JSON command"),
        pytest.param(
            json.dumps({"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{wrapped(UPDATE)}\nEOF"]}),
            id="JSON command of a shell",
        ),
        pytest.param(json.dumps({"patch": wrapped(UPDATE)}), id="JSON patch"),
        pytest.param(json.dumps({"input": wrapped(UPDATE)}), id="JSON input"),
        pytest.param(json.dumps({"input": {"patch": wrapped(UPDATE)}}), id="JSON in JSON"),
        pytest.param(
            json.dumps({"input": json.dumps({"command": ["apply_patch", wrapped(UPDATE)]})}),
            id="JSON in a string in JSON",
        ),
        pytest.param(json.dumps(["apply_patch", wrapped(UPDATE)]), id="JSON list"),
        pytest.param(json.dumps(wrapped(UPDATE)), id="JSON string"),
        pytest.param('{"input": "' + wrapped(UPDATE) + '"}', id="JSON with raw newlines"),
        pytest.param("\n\n" + wrapped(UPDATE) + "\n\n", id="empty lines around"),
        pytest.param(wrapped(UPDATE).replace("\n", "\r\n"), id="CRLF"),
        pytest.param("  *** Begin Patch  \n" + UPDATE + "\n  *** End Patch ", id="begin and end indented"),
        pytest.param(indented(wrapped(UPDATE)), id="all indented"),
        pytest.param(indented(wrapped(UPDATE), "\t"), id="all indented by a tab"),
        pytest.param(wrapped(indented(UPDATE, " ")), id="all but begin and end indented"),
        pytest.param(wrapped("  *** Update File: a.py\n  @@\n-old\n+new"), id="markers indented"),
        pytest.param("*** Begin Patch\n" + UPDATE + "*** End Patch", id="end glued to the last line"),
        pytest.param(wrapped("*** Environment ID: 1\n" + UPDATE), id="environment"),
        pytest.param(wrapped(UPDATE.replace("@@", "@@ -1,3 +1,4 @@")), id="line numbers"),
        pytest.param(wrapped(UPDATE.replace("@@", "@@ -1 +1 @@ def f():")), id="line numbers and a section"),
        pytest.param(wrapped(UPDATE.replace("@@", "@@ -1,3 +1,4")), id="line numbers without an end"),
        pytest.param(wrapped(UPDATE.replace(": ", ":")), id="no space in a header"),
    ],
)
def test_unambiguous_mistakes_are_tolerated(text: str) -> None:
    assert parse_patch(text).hunks == UPDATED


def test_all_markers_may_be_indented_alike() -> None:
    body = (
        " *** Update File: a\n *** Move to: c\n @@\n-old\n+new\n *** End of File\n"
        " *** Add File: b\n+x\n *** Delete File: d"
    )
    assert parse_patch(wrapped(body)).hunks == (
        UpdateFile("a", "c", (chunk("-old", "+new", end_of_file=True),)),
        AddFile("b", "x\n"),
        DeleteFile("d"),
    )


@pytest.mark.parametrize(
    "path", ["/abs/a.py", "a/../b", "sp ace.py", "\u00fcml\u00e4ut", "a\\b", "x" * 4_096]
)
def test_a_path_is_used_verbatim(path: str) -> None:
    assert parse_patch(wrapped(f"*** Delete File: {path}")).hunks == (DeleteFile(path),)


def test_context_lines_may_lack_their_space() -> None:
    assert chunks("@@\ndef f():\n\treturn\n-    x\n+    y") == (
        chunk(" def f():", " \treturn", "-    x", "+    y"),
    )


def test_empty_lines_of_an_added_file_may_lack_their_sign() -> None:
    (hunk, _) = parse_patch(wrapped("*** Add File: a\n+x\n\n \n+y\n\n*** Delete File: b")).hunks
    assert hunk == AddFile("a", "x\n\n\ny\n")


def test_tolerance_does_not_change_the_meaning_of_a_valid_patch() -> None:
    content = "*** End Patch\n*** Update File: x\n@@\n@@ -1 +1 @@\n <<EOF\n"
    added = "".join(f"+{line}\n" for line in content.splitlines())
    assert parse_patch(wrapped(f"*** Add File: notes\n{added}")).hunks == (AddFile("notes", content),)
    lines = (
        " *** Delete File: x",
        " *** Move to: y",
        "-*** End Patch",
        "+  *** End of File",
        " @@ x",
        " *** End Patch",
    )
    assert chunks("\n".join(lines)) == (Chunk((), lines),)


def test_two_valid_patches_are_never_treated_alike() -> None:
    # One space makes these lines context, although they could also be indented markers.
    assert chunks("@@\n-x\n *** End of File") == (chunk("-x", " *** End of File"),)
    assert chunks("@@\n-x\n @@\n-y") == (chunk("-x", " @@", "-y"),)
    # Here only the header is indented, so a space still means context.
    (hunk,) = parse_patch(wrapped("  *** Update File: a\n@@\n   x\n-y")).hunks
    assert hunk == UpdateFile("a", None, (chunk("   x", "-y"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be '*** Begin Patch'. Received:\n(nothing)"),
        ("please edit a.py", "please edit a.py"),
        ('{"command": ["ls"]}', 'Received:\n{"command": ["ls"]}'),
        ('{"patch": ', 'Received:\n{"patch": '),
        ('{"patch": 1}', 'Received:\n{"patch": 1}'),
        ('{"other": "*** Begin Patch"}', 'Received:\n{"other": "*** Begin Patch"}'),
        ("[" * 100_000, "characters …\n[[["),
        ('["' * 9 + "x", 'Received:\n["["["'),
        (json.dumps([[[[[[[[["deep"]]]]]]]]]), "first line must be"),
        ("*** Begin Patch", "last line must be '*** End Patch'"),
        ("*** Begin Patch*** End Patch", "first line must be"),
        ("*** Begin Patch\n" + UPDATE, "last line must be '*** End Patch'"),
        (wrapped(""), "No files were modified."),
        (wrapped("*** Environment ID: 1"), "No files were modified."),
        (wrapped("hello"), "Invalid patch hunk on line 2: 'hello' is not a file header"),
        (wrapped("*** Update File: a"), "line 2: the update of 'a' has no lines to change"),
        (wrapped("*** Update File: a\n@@"), "line 3: a chunk has no lines"),
        (wrapped("*** Update File: a\n@@\n@@ x\n@@\n-x\n@@ y"), "line 7: a chunk has no lines"),
        (wrapped("*** Update File:"), "line 2: '*** Update File:' has no path"),
        (wrapped("*** Update File: a\n*** Move to:"), "line 3: '*** Move to:' has no path"),
        (wrapped("*** Update File: a\n-x\n*** Move to: b"), "line 4: '*** Move to: b' is not a known marker"),
        (
            wrapped("*** Update File: a\n-x\n*** Delete file: b"),
            "line 4: '*** Delete file: b' is not a known marker",
        ),
        (wrapped(f"*** Delete File: a\n{wrapped('*** Delete File: b')}"), "line 3: '*** Begin Patch' is not"),
        (wrapped("*** Delete File: a\n*** Environment ID: 1"), "line 3: '*** Environment ID: 1' is not"),
        (wrapped("*** Delete File: a\0b"), "line 2: the path 'a\\x00b' contains a NUL character"),
        (
            wrapped(f"*** Delete File: {'a' * 4_097}"),
            "line 2: a path has 4,097 characters; the limit is 4,096",
        ),
        (wrapped("*** Add File: a\n+x\ny"), "line 4: every line of an added file must begin with +"),
        (wrapped("*** Delete File: a\nstray"), "line 3: 'stray' is not a file header"),
        (wrapped("*** Add File: a\n+\ud800"), "line 3 has a lone surrogate"),
        (json.dumps({"input": wrapped("*** Add File: \udfff\n+x")}), "line 2 has a lone surrogate"),
        ("{" + "x" * 16 * 2**20, "the limit is 16,777,216"),
    ],
)
def test_an_invalid_patch_is_reported_with_its_line(text: str, message: str) -> None:
    with pytest.raises(PatchSyntaxError) as caught:
        parse_patch(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 3_000


def test_a_patch_may_contain_bytes_that_are_not_utf_8() -> None:
    text = wrapped("*** Add File: a\n+\udcff")
    assert parse_patch(text).hunks == (AddFile("a", "\udcff\n"),)


def test_both_ends_of_the_received_text_are_shown() -> None:
    with pytest.raises(PatchSyntaxError) as caught:
        parse_patch("start" + "x" * 10_000 + "finish")
    assert "Received:\nstartx" in str(caught.value)
    assert str(caught.value).endswith("xfinish")


PIECES = st.sampled_from(
    ["*** Begin Patch", "*** End Patch", "*** Update File: a", "*** Add File: b", "*** Delete File: c"]
    + ["*** Move to: d", "@@", "@@ x", "+a", "-b", " c", "", "*** End of File", "<<EOF", "EOF", "{", "zz"]
    + [
        " *** Begin Patch",
        " *** Update File: a",
        "  @@",
        "*** Environment ID: 1",
        "*** x",
        "```",
        "\r",
        "+*** End Patch",
    ]
)


@given(
    st.one_of(
        st.text(),
        st.text(st.characters()).map(wrapped),
        st.lists(PIECES).map("\n".join),
        st.lists(PIECES).map("\n".join).map(wrapped),
        st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.just("input"), inner)).map(
            json.dumps
        ),
    )
)
def test_any_text_is_either_a_patch_or_a_patch_error(text: str) -> None:
    try:
        assert parse_patch(text).hunks
    except PatchError as error:
        assert str(error)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda size: "*** Update File: a\n" + "-x\n" * size, id="one chunk"),
        pytest.param(lambda size: "*** Update File: a\n" + "@@ y\n-x\n" * size, id="many chunks"),
        pytest.param(lambda size: "*** Update File: a\n" + "@@ y\n" * size + "-x", id="many contexts"),
        pytest.param(lambda size: "*** Update File: a\n-x\n" + "\n" * size, id="empty lines"),
        pytest.param(lambda size: "*** Add File: a\n" + "+x\n\n" * size, id="an added file"),
        pytest.param(lambda size: "*** Delete File: a\n\n" * size, id="many hunks"),
        pytest.param(lambda size: "  *** Add File: a\n" + "  +x\n" * size, id="indented"),
    ],
)
def test_parsing_takes_linear_time(body: Callable[[int], str]) -> None:
    small, large = wrapped(body(5_000)), wrapped(body(40_000))
    assert seconds(lambda: parse_patch(large)) < 24 * max(seconds(lambda: parse_patch(small)), 0.002)
