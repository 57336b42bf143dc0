"""Laws of the patch format: a patch made from two files turns the first into the second."""

from difflib import SequenceMatcher
from pathlib import Path

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.patch import MemoryFileSystem, apply_plan, git_diff, parse_patch, plan_patch, unified_diff

LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "a", "b", "  a", "*** End Patch", "@@ x", "-", "+"]), st.text(alphabet="ab -+@*")
    ),
    max_size=25,
)


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def applied(patch: str, old: list[str]) -> str:
    path = Path("/f")
    files = MemoryFileSystem({path: text_of(old)})

    async def apply() -> None:
        await apply_plan(await plan_patch(parse_patch(patch), files, Path("/")), files)

    anyio.run(apply)
    return files.files[path]


def patch_from(old: list[str], new: list[str]) -> str:
    """One chunk from the first change to the last, with everything before it as context, so that it is unique."""
    out = ["*** Begin Patch", "*** Update File: f", "@@"]
    for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            out += [f" {line}" for line in old[start:end]]
        else:
            out += [f"-{line}" for line in old[start:end]] + [f"+{line}" for line in new[new_start:new_end]]
    return "\n".join([*out, "*** End of File", "*** End Patch"])


@given(LINES, LINES)
@settings(max_examples=300)
def test_a_patch_made_from_two_files_turns_one_into_the_other(old: list[str], new: list[str]) -> None:
    if old == new:
        return
    assert applied(patch_from(old, new), old) == text_of(new)


EDITS = st.lists(st.sampled_from(["keep", "drop", "change", "insert after"]), max_size=40)


@given(EDITS, st.integers(1, 3))
@settings(max_examples=300)
def test_chunks_with_few_lines_of_context_find_their_place(edits: list[str], context: int) -> None:
    old = [f"line {number}" for number in range(len(edits))]
    new: list[str] = []
    for line, edit in zip(old, edits, strict=True):
        new += {"keep": [line], "drop": [], "change": [f"{line}!"], "insert after": [line, f"after {line}"]}[
            edit
        ]
    if old == new:
        return
    out = ["*** Begin Patch", "*** Update File: f"]
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context):
        out.append("@@")
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                out += [f" {line}" for line in old[start:end]]
            else:
                out += [f"-{line}" for line in old[start:end]] + [
                    f"+{line}" for line in new[new_start:new_end]
                ]
    assert applied("\n".join([*out, "*** End Patch"]), old) == text_of(new)


@given(st.text(alphabet="ab\n"), st.text(alphabet="ab\n"))
def test_a_diff_is_empty_only_for_equal_texts(old: str, new: str) -> None:
    assert (unified_diff(old, new) == "") == (old == new)
    assert git_diff([], Path("/")) == ""
