"""Splits a shell script into its commands, tolerating errors.

Quotes, substitutions, groups, comments and here-documents are read like a POSIX shell and bash do.
Reading continues past syntax errors, because a shell runs the lines before one. Expansions are
kept in words as written, because their values are unknown. Runs in time linear in the length of
the script.
"""

import re
from itertools import accumulate

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.script import PROCESS, Cases, Pipeline, Redirected, Script, TooComplexError
from code_core.safety.shell_output import decoded, output
from code_core.safety.shell_words import KEYWORDS

MOST_NESTING = 40

# Only these characters separate words in a shell, whatever Unicode considers blank.
_PLAIN = lazy_pattern(r"[^ \t\n'\"\\`$;&|()<>]+")
_PLAIN_QUOTED = lazy_pattern(r"[^\"\\`$]+")
_NAME = lazy_pattern(r"[A-Za-z_]\w*|\d", re.ASCII)
_BLANKS = " \t\n"
_ENDS_WORD = " \t\n;&|()<>"
_ARRAY = lazy_pattern(r"[A-Za-z_]\w*\+?=", re.ASCII)
_PIPE = lazy_pattern(r"\|(?!\|)")
_DESCRIPTOR = lazy_pattern(r"\d+|\{\w+\}")
# An expansion with a pattern, in which single quotes quote even inside double quotes.
_TAKES_PATTERN = lazy_pattern(r"!?(?:\w+|[@*])(?:\[[^]}]*\])?[#%/^,]")


def read_script(text: str) -> Script:
    """Return every command in `text`, roughly in order.

    Raises:
        TooComplexError: more than 40 levels of nesting.
    """
    script = Script()
    _Reader(text, script, 0).read()
    return script


class _Reader:
    def __init__(self, text: str, script: Script, depth: int) -> None:
        self._text = text
        self._script = script
        self._depth = depth
        self._at = 0
        self._awaited: list[tuple[str, bool, bool]] = []  # here-documents: delimiter, with tabs, quoted
        self._redirected = Redirected()
        self._last: dict[str, int] | None = None  # the last position of each line, without leading tabs

    def read(self) -> None:
        while self._at < len(self._text):
            self._commands()
            self._at += 1  # an unmatched closing parenthesis

    def _commands(self) -> None:
        """Read up to the `)` that ends this list of commands, without consuming it."""
        self._descend()
        outer, self._redirected = self._redirected, Redirected()
        self._list()
        self._redirected = outer
        self._depth -= 1

    def _list(self) -> None:
        words: list[str] = []
        cases = Cases()
        pipeline = Pipeline(self._script)
        while self._at < len(self._text):
            match self._text[self._at]:
                case ")" if not cases.open:
                    break
                case " " | "\t":
                    self._at += 1
                case "\n":
                    self._at += 1
                    words = self._end(words)
                    pipeline.goes_on(piped=False)
                    self._documents()
                case ")" | "|" as sign if cases.pattern:
                    cases.pattern = sign == "|"
                    self._at += 1
                    words = []
                case "(" if cases.pattern and not words:
                    self._at += 1
                case "&" if words and self._text.startswith("&>", self._at):
                    words = self._cut(words)
                case ";" | "&" | "|" | ")":
                    cases.pattern = cases.open > 0 and self._text.startswith((";;", ";&"), self._at)
                    words = self._end(words)
                    pipeline.goes_on(piped=_PIPE.match(self._text, self._at) is not None)
                    self._at += 2 if cases.pattern or self._text.startswith(("||", "|&"), self._at) else 1
                case "(":
                    self._group(words)
                    words = self._end(words)
                case "#":
                    end = self._text.find("\n", self._at)
                    self._at = end if end >= 0 else len(self._text)
                case "<" | ">":
                    self._redirection(words)
                case _:
                    word = self._word()
                    if word is None or (self._peek() in {"<", ">"} and _DESCRIPTOR.fullmatch(word)):
                        continue
                    if word == "in" and cases.last == "case" and len(words) < 2:
                        cases.pattern, cases.last, words = True, "", []
                    elif word in {"{", "}"} or (not words and word in KEYWORDS):
                        words = self._end(words)
                        cases.keyword(word)
                    else:
                        words.append(word)
        self._end(words)
        pipeline.goes_on(piped=False)

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MOST_NESTING:
            raise TooComplexError("the command is nested too deeply to be understood")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _end(self, words: list[str]) -> list[str]:
        self._script.commands += self._redirected.ended(words)
        self._redirected = Redirected()
        return []

    def _cut(self, words: list[str]) -> list[str]:
        """Read the `&` of `&>`."""
        self._at += 1
        self._script.commands.append(words)
        self._redirected.before += words
        return []

    def _parentheses(self) -> None:
        """Read a group or a substitution from its `(` to its `)`."""
        self._at += 1
        self._commands()
        self._at += 1

    def _group(self, words: list[str]) -> None:
        """Read a group, or the elements of an array, which become the value of its assignment."""
        before = len(self._script.commands)
        self._parentheses()
        if words and _ARRAY.fullmatch(words[-1]):
            members = self._script.commands[before:]
            words[-1] += " ".join(["", *(one for member in members for one in member)])

    def _redirection(self, words: list[str]) -> None:
        if self._text.startswith(("<(", ">("), self._at):
            self._at += 1
            self._parentheses()
            words.append(PROCESS)
        elif self._text.startswith("<<<", self._at):
            self._at += 3
            self._blanks()
            self._script.documents.append(self._word() or "")
        elif self._text.startswith("<<", self._at):
            self._at += 2
            tabs = self._peek() == "-"
            self._at += tabs
            self._blanks()
            start = self._at
            delimiter = self._word() or ""
            quoted = any(quote in self._text[start : self._at] for quote in "'\"\\")
            self._awaited.append((delimiter, tabs, quoted))
        else:
            reads = self._peek() == "<"
            while self._peek() in {"<", ">", "&", "|"} and not self._text.startswith(("<(", ">("), self._at):
                self._at += 1
            self._blanks()
            if self._text.startswith(("<(", ">("), self._at):
                self._at += 1
                self._parentheses()
                self._redirected.inputs += [PROCESS] * reads
            elif self._peek() not in _ENDS_WORD:
                self._word()

    def _blanks(self) -> None:
        while self._peek() in {" ", "\t"}:
            self._at += 1

    def _documents(self) -> None:
        """Read the bodies of the here-documents announced on the previous line."""
        awaited, self._awaited = self._awaited, []
        for delimiter, tabs, quoted in awaited:
            if not self._follows(delimiter):
                continue  # a shift, as in `$((1<<2))`; for an unterminated document, we find too much
            body: list[str] = []
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = end if end >= 0 else len(self._text)
                line = self._text[self._at : end]
                self._at = end + 1
                if (line.lstrip("\t") if tabs else line) == delimiter:
                    break
                body.append(line)
            text = "\n".join(body)
            self._script.documents.append(text)
            if not quoted:
                _Reader(text, self._script, self._depth)._quoted(closer="")  # noqa: SLF001 - its own class

    def _follows(self, line: str) -> bool:
        """Whether such a line follows, with or without leading tabs."""
        if self._last is None:
            starts = accumulate((len(one) + 1 for one in self._text.split("\n")), initial=0)
            self._last = {
                one.lstrip("\t"): start for one, start in zip(self._text.split("\n"), starts, strict=False)
            }
        return self._last.get(line, -1) >= self._at

    def _word(self) -> str | None:
        """Return the next word with quotes removed, or None for a line continuation."""
        parts: list[str] = []
        start = self._at
        while self._at < len(self._text):
            if plain := _PLAIN.match(self._text, self._at):
                parts.append(plain[0])
                self._at = plain.end()
                continue
            match self._text[self._at]:
                case "'":
                    parts.append(self._until("'"))
                case '"':
                    self._at += 1
                    parts.append(self._quoted(closer='"'))
                case "\\":
                    if self._text.startswith("\\\n", self._at):
                        start += 2 if start == self._at else 0
                    else:
                        parts.append(self._text[self._at + 1 : self._at + 2])
                    self._at += 2
                case "$" | "`":
                    parts.append(self._expansion(quoted=False))
                case _:
                    break
        return "".join(parts) if self._at > start else None

    def _until(self, quote: str) -> str:
        end = self._text.find(quote, self._at + 1)
        end = end if end >= 0 else len(self._text)
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _quoted(self, closer: str) -> str:
        """Return the text up to `closer`, read as within double quotes."""
        parts: list[str] = []
        while self._at < len(self._text):
            if plain := (_PLAIN_QUOTED.match(self._text, self._at)):
                parts.append(plain[0])
                self._at = plain.end()
                continue
            match self._text[self._at]:
                case '"':
                    self._at += 1
                    if closer:
                        break
                    parts.append('"')
                case "\\":
                    escaped = self._text[self._at + 1 : self._at + 2]
                    kept = "" if escaped == "\n" else escaped
                    parts.append(kept if escaped in {"$", "`", '"', "\\", "\n"} else f"\\{escaped}")
                    self._at += 2
                case _:
                    parts.append(self._expansion(quoted=True))
        return "".join(parts)

    def _expansion(self, *, quoted: bool) -> str:
        """Read an expansion that begins with `$` or a backquote; return its representation in the word."""
        text, start = self._text, self._at
        if text[start] == "`":
            end = start + 1
            while end < len(text) and text[end] != "`":
                end += 2 if text[end] == "\\" else 1
            inside = re.sub(r"\\([\\`$])", r"\1", text[start + 1 : end])
            if quoted:
                inside = inside.replace('\\"', '"')
            self._descend()
            before = len(self._script.commands)
            _Reader(inside, self._script, self._depth).read()
            self._depth -= 1
            self._at = end + 1
            self._printed_file(inside, before)
            return output(self._script.commands[before:]) or "`…`"
        self._at += 1
        match self._peek():
            case "(":
                before = len(self._script.commands)
                start = self._at + 1
                self._parentheses()
                self._printed_file(text[start : self._at - 1], before)
                return output(self._script.commands[before:]) or "$(…)"
            case "{":
                self._at += 1
                self._descend()
                self._braces(quoted=quoted)
                self._depth -= 1
            case "'" if not quoted:
                return decoded(self._ansi_quoted()).partition("\0")[0]
            case '"' if not quoted:
                return ""  # a translated string, whose quotes are read next
            case _ if name := _NAME.match(text, self._at):
                self._at = name.end()
                if self._peek() in {
                    "'",
                    '"',
                    "\\",
                }:  # keep the end of the name visible when the quotes are removed
                    return f"${{{name[0]}}}"
            case _:
                pass
        return text[start : self._at]

    def _printed_file(self, inside: str, before: int) -> None:
        """Treat `$(<file)` as `$(cat file)`."""
        if len(self._script.commands) == before and inside.lstrip(_BLANKS).startswith("<"):
            self._script.commands.append(["cat", inside.strip(_BLANKS).removeprefix("<").lstrip(_BLANKS)])

    def _braces(self, *, quoted: bool) -> None:
        quoted = quoted and not _TAKES_PATTERN.match(self._text, self._at)
        while self._at < len(self._text):
            match self._text[self._at]:
                case "}":
                    self._at += 1
                    return
                case "'" if not quoted:
                    self._until("'")
                case '"':
                    self._at += 1
                    self._quoted(closer='"')
                case "\\":
                    self._at += 2
                case "$" | "`":
                    self._expansion(quoted=quoted)
                case _:
                    self._at += 1

    def _ansi_quoted(self) -> str:
        """Return the text of `$'…'` with its escapes unchanged."""
        start = end = self._at + 1
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        self._at = end + 1
        return self._text[start:end]
