"""Files in all encodings keep theirs, and the bytes of every line that a patch does not touch."""

import codecs
from pathlib import Path
from random import Random

import anyio
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from code_core.patch import (
    FileState,
    MemoryFileSystem,
    PatchMatchError,
    PatchReadError,
    UpdateFile,
    apply_chunks,
    apply_plan,
    encoding,
    parse_patch,
    plan_patch,
)
from code_core.patch.encoding import NotTextError, encoding_of
from core.patch.build import chunk, update_from, wrapped

UTF_16_LE = codecs.BOM_UTF16_LE
PATH = Path("/w/f")


def change(data: bytes, *lines: str) -> bytes:
    return apply_chunks(data, [chunk(*lines)], "f")


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"", "utf-8"),
        (b"plain\n", "utf-8"),
        ("caf\u00e9 \U0001f600\n".encode(), "utf-8"),
        (codecs.BOM_UTF8 + b"x", "utf-8"),
        ("caf\u00e9".encode("utf-16"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + "caf\u00e9".encode("utf-16-be"), "utf-16-be"),
        ("caf\u00e9".encode("utf-32"), "utf-32-le"),
        (codecs.BOM_UTF32_BE + "caf\u00e9".encode("utf-32-be"), "utf-32-be"),
        ("caf\u00e9\n".encode("latin-1"), "iso-8859-1"),
        ("\u201ccaf\u00e9\u201d\n".encode("cp1252"), "windows-1252"),
        (b"\x81\x93caf\xe9\n", "iso-8859-1"),
        # One broken character among good ones.
        ("gr\u00f6\u00dfe \u00e9\n".encode() + b"\xff\n", "utf-8"),
        (b"x" * 2**18 + "\u00e9".encode() + b"y", "utf-8"),
        (b"x" * (2**18 - 1) + "\u00e9".encode() + b"y", "utf-8"),
    ],
)
def test_the_encoding_is_detected_from_the_bytes(data: bytes, codec: str) -> None:
    encoding = encoding_of(data)
    assert encoding.codec == codec
    assert encoding.guessed == (codec in {"iso-8859-1", "windows-1252"})
    assert encoding.mark + b"".join(encoding.encode(text) for _, text in encoding.pieces(data)) == data


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a\0b", "the file is binary (it contains NUL bytes)"),
        (
            UTF_16_LE + b"abc",
            "the file begins like UTF-16 text (byte order mark), but is not valid UTF-16",
        ),
        (
            UTF_16_LE + b"\x00\xd8\n\0",
            "the file begins like UTF-16 text (byte order mark), but is not valid UTF-16",
        ),
    ],
)
def test_binary_data_is_rejected(data: bytes, problem: str) -> None:
    with pytest.raises(NotTextError) as caught:
        encoding_of(data)
    assert str(caught.value) == problem
    files = MemoryFileSystem({PATH: FileState(data)})
    with pytest.raises(PatchReadError) as refused:
        anyio.run(plan_patch, parse_patch(wrapped("*** Update File: f\n-a\n+b")), files, PATH.parent)
    assert str(refused.value) == f"Failed to read file to update /w/f: {problem}"


@pytest.mark.parametrize(
    "body", ["*** Update File: f\n*** Move to: g", "*** Delete File: f", "*** Add File: f\n+x"]
)
def test_a_binary_file_may_be_moved_deleted_and_replaced(body: str) -> None:
    files = MemoryFileSystem({PATH: FileState(b"a\0b", 0o755)})

    async def apply() -> None:
        await apply_plan(await plan_patch(parse_patch(wrapped(body)), files, PATH.parent), files)

    anyio.run(apply)
    assert files.files in (
        {Path("/w/g"): FileState(b"a\0b", 0o755)},
        {},
        {PATH: FileState(b"x\n", 0o755)},
    )


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_with_wide_characters_is_edited(codec: str, end: str) -> None:
    mark = "\ufeff".encode(codec)
    before = mark + f"caf\u00e9{end}\u0a0a\u0d0a{end}x".encode(codec)
    after = mark + f"caf\u00e9{end}\u0a0a\u0d0a{end}gr\u00f6\u00dfe \U0001f600{end}x".encode(codec)
    assert change(before, " caf\u00e9", " \u0a0a\u0d0a", "+gr\u00f6\u00dfe \U0001f600") == after


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-be"])
def test_a_large_file_is_read_in_pieces_of_whole_lines(monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    monkeypatch.setattr(encoding, "PIECE", 3)
    mark = b"" if codec == "utf-8" else "\ufeff".encode(codec)
    text = "\u0a0a\u0a00\r\n\u000a\u0100\u0a01\n\U0001f600\n\nx"
    data = mark + text.encode(codec)
    pieces = [*encoding_of(data).pieces(data)]
    assert "".join(piece for _, piece in pieces) == text
    assert all(piece.endswith("\n") for _, piece in pieces[:-1])
    assert [data[start:].startswith(piece.encode(codec)) for start, piece in pieces] == [True] * len(pieces)
    assert change(data, " x", "+y") == mark + f"{text}\ny\n".encode(codec)


def test_a_quoted_line_of_the_file_confirms_a_single_byte_encoding() -> None:
    before = "caf\u00e9 one\nrest \u00fcber\n".encode("latin-1")
    assert change(
        before, " caf\u00e9 one", "+gr\u00f6\u00dfe"
    ) == "caf\u00e9 one\ngr\u00f6\u00dfe\nrest \u00fcber\n".encode("latin-1")
    assert change(before, " caf\u00e9 one ", "+gr\u00f6\u00dfe") == change(
        before, " caf\u00e9 one", "+gr\u00f6\u00dfe"
    )
    assert change(before, "-rest \u00fcber", "+rest") == "caf\u00e9 one\nrest\n".encode("latin-1")


def test_ascii_is_added_to_a_file_in_any_encoding() -> None:
    assert change("\u043f\u0440\u0438\nx\n".encode("koi8-r"), "-x", "+y") == "\u043f\u0440\u0438\ny\n".encode(
        "koi8-r"
    )


def test_other_characters_are_not_added_if_the_encoding_is_a_guess() -> None:
    for lines in (["-x", "+\u00e9"], [" x", "+\u043f"], ["-\u201cx", "+\u201cy"]):
        with pytest.raises(PatchMatchError) as caught:
            change(b'caf\xe9\nx\n"x\n', *lines)
        assert str(caught.value) == (
            f"f is not UTF-8, and may be iso-8859-1. To add text that is not ASCII, as in {lines[1][1:]!r}, add a "
            "context line of the file that has such characters."
        )


def test_characters_missing_from_the_encoding_are_named() -> None:
    with pytest.raises(PatchMatchError) as caught:
        change(b"caf\xe9\n", " caf\u00e9", "+5 \u20ac")
    assert str(caught.value) == "f is iso-8859-1 text, which has no '\u20ac': write the new lines without it."
    assert change(b"\x93caf\xe9\x94\n", " \u201ccaf\u00e9\u201d", "+5 \u20ac") == b"\x93caf\xe9\x94\n5 \x80\n"


def test_a_missing_context_is_reported_with_the_encoding() -> None:
    with pytest.raises(PatchMatchError) as caught:
        change("caf\u00e9 eins\n".encode("latin-1"), "-caf\ufffd eins", "+x")
    assert str(caught.value).endswith(
        "\nThe file is not UTF-8; it was read as iso-8859-1.\nThe nearest lines there are:\n1: caf\u00e9 eins"
    )


def test_bytes_of_another_encoding_are_not_added_to_utf_8() -> None:
    # What a terminal with another encoding hands over as an argument.
    with pytest.raises(PatchMatchError) as caught:
        change(b"x\n", " x", "+caf\udce9")
    assert str(caught.value) == "f is utf-8 text, which has no '\\udce9': write the new lines without it."
    # A file with broken characters keeps them.
    broken = "\u00e9\u00e9\nx\n".encode() + b"\xff\n"
    assert change(broken, "-x", " \udcff", "+y") == "\u00e9\u00e9\n".encode() + b"\xff\ny\n"
    marked = codecs.BOM_UTF8 + b"x\n\xff\n"
    assert change(marked, "-x", "+y") == codecs.BOM_UTF8 + b"y\n\xff\n"


CODECS = {
    "utf-8": "aZ \t\u00e9\u20ac\U0001f600\u2028\x85\x0c",
    "utf-8-sig": "aZ \u00e9\u20ac\U0001f600",
    "utf-16": "aZ \u00e9\u20ac\U0001f600\u0a0a\u0d0d\u0a00",
    "utf-32": "aZ \u00e9\u20ac\U0001f600",
    "latin-1": "aZ \u00e9\u00fc\u00df\u00a0",
    "cp1252": "aZ \u00e9\u20ac\u201c\u2013",
}


@st.composite
def edited_files(draw: st.DrawFn) -> tuple[str, dict[str, str], list[str]]:
    """The codec of a file, its lines with their (different) endings, and its lines after the edit."""
    codec = draw(st.sampled_from(sorted(CODECS)))
    line = st.text(st.sampled_from(CODECS[codec]), max_size=draw(st.sampled_from([6, 6, 200])))
    ends = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n", "\r"]])))
    old = {
        f"{number}{text}": draw(ends)
        for number, text in enumerate(draw(st.lists(line, min_size=1, max_size=20)))
    }
    if draw(st.booleans()):
        old[[*old][-1]] = ""
    # A single-byte encoding is only a guess, so only ASCII may be added.
    added = st.just("") if codec in {"latin-1", "cp1252"} else line
    new: list[str] = []
    for number, text in enumerate(old):
        match draw(st.sampled_from(["keep", "keep", "change", "drop", "insert"])):
            case "keep":
                new.append(text)
            case "change":
                new.append(f"new {number} {draw(added)}")
            case "insert":
                new += [f"new {number} {draw(added)}", text]
    return codec, old, new


@given(edited_files(), st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_an_edit_keeps_every_other_byte(file: tuple[str, dict[str, str], list[str]], random: Random) -> None:
    codec, old, new = file
    if [*old] == new:
        return
    (hunk,) = parse_patch(wrapped(update_from([*old], new, random))).hunks
    assert isinstance(hunk, UpdateFile)
    before = "".join(text + end for text, end in old.items()).encode(codec)
    # Some texts in Latin-1 are good UTF-8, too ("\u00df\u00a0").
    assume(before.isascii() or encoding_of(before).guessed == (codec in {"latin-1", "cp1252"}))
    after = apply_chunks(before, hunk.chunks, "f")
    mark = b"" if codec in {"latin-1", "cp1252", "utf-8"} else before[: len("".encode(codec))]
    assert after.startswith(mark)
    encode = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(codec, codec)
    rest = after[len(mark) :]
    for number, text in enumerate(new):
        last = number == len(new) - 1
        kept = old.get(text)
        ends = {"\n", "\r\n", "\r"} if kept is None or (kept == "" and not last) else {kept}
        if kept is None:
            ends &= {*old.values()} - {""} or {"\n"}
        possible = [(text + end).encode(encode) for end in ends]
        found = [line for line in possible if rest.startswith(line)]
        assert found, (rest[:100], possible)
        rest = rest[len(max(found, key=len)) :]
    assert rest == b""
