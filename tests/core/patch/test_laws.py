"""Laws of the patch format: a patch made from two files turns the first into the second."""

from pathlib import Path
from random import Random

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.patch import (
    AddFile,
    DeleteFile,
    UpdateFile,
    apply_plan,
    parse_patch,
    plan_patch,
)
from core.patch.build import apply_to_text, memory, texts, update_from, wrapped

LINE = st.one_of(
    st.sampled_from(
        ["", "a", "b", "  a", "a  ", "\t", "*** End Patch", "*** Update File: f", "@@ x", "-", "+", "}"]
    ),
    st.text(alphabet="ab -+@*'\u2019\u00e9\u2028\x0c", max_size=8),
)
LINES = st.lists(LINE, max_size=25)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """A file, and the file after some edits."""
    old = draw(LINES)
    new = list(old)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(new)))
        stop = draw(st.integers(start, min(len(new), start + 3)))
        new[start:stop] = draw(st.lists(LINE, max_size=3))
    return old, new


def patched(old: str, body: str) -> str:
    (hunk,) = parse_patch(wrapped(body)).hunks
    assert isinstance(hunk, UpdateFile)
    return apply_to_text(old, hunk.chunks, "f")


@given(st.one_of(edited(), st.tuples(LINES, LINES)), st.randoms(use_true_random=False), ENDS)
@settings(max_examples=250)
def test_a_patch_made_from_two_files_turns_one_into_the_other(
    files: tuple[list[str], list[str]], random: Random, end: str
) -> None:
    old, new = files
    if old == new:
        return
    # A file without lines has no line endings to imitate.
    expected = "".join(f"{line}{end if old else chr(10)}" for line in new)
    assert patched("".join(f"{line}{end}" for line in old), update_from(old, new, random)) == expected


@given(edited(), st.randoms(use_true_random=False), st.data())
def test_unchanged_lines_keep_their_line_endings_and_trailing_blanks(
    files: tuple[list[str], list[str]], random: Random, data: st.DataObject
) -> None:
    old = [f"{number}{line.strip()}" for number, line in enumerate(files[0])]
    new = [line for line in old if data.draw(st.booleans())]
    if old == new:
        return
    # White space that the patch omits is still in the file, whichever pass finds the lines.
    real = {
        line: data.draw(st.sampled_from(["", " ", "\t"])) + line + data.draw(st.sampled_from(["", " "]))
        for line in old
    }
    text = {line: real[line] + data.draw(ENDS) for line in old}
    body = update_from(old, new, random)
    assert patched("".join(text[line] for line in old), body) == "".join(text[line] for line in new)


FILES = st.dictionaries(st.sampled_from(["a", "b", "d/c", "d/e"]), LINES, max_size=3)


@given(FILES, FILES, st.randoms(use_true_random=False))
def test_a_patch_made_from_two_trees_turns_one_into_the_other(
    before: dict[str, list[str]], after: dict[str, list[str]], random: Random
) -> None:
    sections: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if new is None:
            sections.append(f"*** Delete File: {name}")
        elif old is None or random.random() < 0.2:
            sections.append("\n".join([f"*** Add File: {name}", *(f"+{line}" for line in new)]))
        else:
            sections.append(update_from(old, new, random, name))
    if not sections:
        return
    random.shuffle(sections)
    root = Path("/w")
    files = memory({root / name: "".join(f"{line}\n" for line in lines) for name, lines in before.items()})

    async def apply() -> None:
        await apply_plan(await plan_patch(parse_patch(wrapped("\n".join(sections))), files, root), files)

    anyio.run(apply)
    assert texts(files) == {
        root / name: "".join(f"{line}\n" for line in lines) for name, lines in after.items()
    }


@given(st.lists(LINE.map(lambda line: f"+{line}")))
def test_the_text_of_an_added_file_is_used_verbatim(lines: list[str]) -> None:
    patch = parse_patch(wrapped("\n".join(["*** Add File: a", *lines, "*** Delete File: b"])))
    assert patch.hunks == (AddFile("a", "".join(f"{line[1:]}\n" for line in lines)), DeleteFile("b"))
