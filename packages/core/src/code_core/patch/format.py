"""The patch format as models are taught it."""

APPLY_PATCH_GRAMMAR = r"""
start: begin_patch hunk+ end_patch

begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?

hunk: add_file | delete_file | update_file
add_file: "*** Add File: " path LF added_line+
delete_file: "*** Delete File: " path LF
update_file: "*** Update File: " path LF move? chunks?
move: "*** Move to: " path LF

path: /[^\r\n]+/
added_line: "+" /[^\r\n]*/ LF

chunks: (context | changed_line)+ end_of_file?
context: ("@@" | "@@ " /[^\r\n]+/) LF
changed_line: ("+" | "-" | " ") /[^\r\n]*/ LF
end_of_file: "*** End of File" LF

%import common.LF
""".lstrip()

APPLY_PATCH_INSTRUCTIONS = """\
# The patch format of apply_patch
A patch is plain text between two markers. Between them stand one or more file sections:

*** Begin Patch
*** Add File: path/new.py
+every line of a new file begins with a plus sign
*** Update File: path/old.py
*** Move to: path/renamed.py
@@ class Shape
     def area(self):
-        return 0
+        return self.width * self.height
*** Delete File: path/obsolete.py
*** End Patch

In an update each change is a chunk: unchanged lines begin with a space, removed ones with `-`, added ones with `+`. \
Give three unchanged lines before and after each change. If they occur more than once, name the enclosing class or function \
in a line `@@ …` before the chunk; several such lines narrow it down further. Every chunk but the first begins with `@@`. \
`*** Move to:` renames the file and may be left out. `*** End of File` after a chunk says that it is at the end of the file. \
Paths are relative to the working directory. Do not write line numbers. \
In a shell call use ["apply_patch", "*** Begin Patch\\n…\\n*** End Patch"].
"""
