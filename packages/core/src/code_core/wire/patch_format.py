r"""The patch format as described to models.

The grammar uses the `lark` syntax of constrained decoding. Every terminal is a whole line, so
that two terminals cannot be confused where both are allowed. It accepts less than the parser.
"""

APPLY_PATCH_GRAMMAR = r"""
start: BEGIN_PATCH section+ END_PATCH

section: ADD_FILE ADDED_LINE*
       | DELETE_FILE
       | UPDATE_FILE MOVE_TO? first_chunk chunk*
       | UPDATE_FILE MOVE_TO

first_chunk: CONTEXT* CHUNK_LINE+ END_OF_FILE?
chunk: CONTEXT+ CHUNK_LINE+ END_OF_FILE?

BEGIN_PATCH: "*** Begin Patch\n"
END_PATCH: /\*\*\* End Patch\n?/
ADD_FILE: /\*\*\* Add File: [^\n]+\n/
DELETE_FILE: /\*\*\* Delete File: [^\n]+\n/
UPDATE_FILE: /\*\*\* Update File: [^\n]+\n/
MOVE_TO: /\*\*\* Move to: [^\n]+\n/
CONTEXT: /@@( [^\n]+)?\n/
ADDED_LINE: /\+[^\n]*\n/
CHUNK_LINE: /[ +-][^\n]*\n/
END_OF_FILE: "*** End of File\n"
""".lstrip()

APPLY_PATCH_INSTRUCTIONS = """\
plain text between two markers, with one or more file sections:

*** Begin Patch
*** Add File: path/new.py
+every line of a new file begins with a plus sign
*** Update File: path/old.py
@@ class Shape:
     def area(self):
-        return 0
+        return self.width * self.height
*** Delete File: path/obsolete.py
*** End Patch

In an update, each change is a chunk. Unchanged lines begin with a space, removed ones with `-`, added ones with `+`; \
the sign comes before the line's own indentation. \
Give three unchanged lines before and after each change. If they occur more than once, quote the whole line of the enclosing class or function \
in a line `@@ …` before the chunk. \
Every chunk except the first begins with `@@`, and chunks are in the order of the file. \
`*** Move to: NEW` after `*** Update File:` renames the file. `*** End of File` marks a chunk at the end of the file. \
Paths are relative to the working directory. Do not write line numbers.
"""

PATCH_TOOL_NAMES = frozenset({"apply_patch", "applypatch"})
_PATCH_WORDS = (*PATCH_TOOL_NAMES, "*** Begin Patch")


def may_be_patch(text: str) -> bool:
    """Whether `text` mentions the patch tool or begins a patch; if not, no patch can be in it."""
    return any(word in text for word in _PATCH_WORDS)
