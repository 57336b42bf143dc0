import pytest

from code_core.patch import AddFile, DeleteFile, UpdateFile, parse_patch
from code_core.wire.patch_format import APPLY_PATCH_GRAMMAR, APPLY_PATCH_INSTRUCTIONS
from core.patch.build import wrapped

GOOD = [
    wrapped("*** Add File: a\n+x\n+"),
    wrapped("*** Add File: empty"),
    wrapped("*** Delete File: a b") + "\n",
    wrapped("*** Update File: a\n@@\n-x\n+y"),
    wrapped("*** Update File: a\n x\n-y\n*** End of File\n@@ class A\n@@ def f\n+z\n*** End of File"),
    wrapped("*** Update File: a\n*** Move to: b"),
    wrapped(
        "*** Update File: a\n*** Move to: b\n@@\n-x\n*** Delete File: c\n*** Add File: d\n+*** End Patch"
    ),
]
BAD = [
    "",
    wrapped(""),
    wrapped("*** Add File: a\nx"),
    wrapped("*** Delete File: "),
    wrapped("*** Update File: a"),
    wrapped("*** Update File: a\n@@"),
    wrapped("*** Update File: a\n-x\n*** End of File\n-y"),
    wrapped("*** Update File: a\n*** Move to: b\n*** Move to: c"),
    wrapped("*** Update File: a\n@@x\n-y"),
    "*** Begin Patch\n*** Delete File: a",
]


def test_the_example_in_the_instructions_is_a_patch() -> None:
    begin = APPLY_PATCH_INSTRUCTIONS.index("*** Begin Patch")
    end = APPLY_PATCH_INSTRUCTIONS.index("*** End Patch") + len("*** End Patch")
    kinds = [type(hunk) for hunk in parse_patch(APPLY_PATCH_INSTRUCTIONS[begin:end]).hunks]
    assert kinds == [AddFile, UpdateFile, DeleteFile]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_grammar_admits_is_parsed(text: str) -> None:
    assert parse_patch(text).hunks


@pytest.mark.parametrize("parser", ["lalr", "earley"])
def test_the_grammar_admits_patches_and_nothing_else(parser: str) -> None:
    lark = pytest.importorskip("lark")
    grammar = lark.Lark(APPLY_PATCH_GRAMMAR, parser=parser)
    for text in GOOD:
        grammar.parse(text)
    for text in BAD:
        with pytest.raises(lark.exceptions.UnexpectedInput):
            grammar.parse(text)
