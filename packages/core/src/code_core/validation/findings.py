"""The findings of checkers, and their form for the model."""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice

from code_core.frozen import frozen

MOST_LINES = 24
"""Lines of one tool's output that are reported."""
MOST_LINES_READ = 2_000
"""Lines of one tool's output that are searched for findings."""
MOST_ISSUES = 12
"""Issues reported from all tools."""
LONGEST_LINE = 400

_PLACE = re.compile(r"(?::|\()(\d[\d,:]*)\)?:? *")


@frozen
class Issue:
    """One finding; `file` is spelled as in the patch."""

    tool: str
    file: str
    message: str


@frozen
class Report:
    """The findings of all checks.

    Attributes:
        checks: the names of the checks that ran, with the reason for those that failed to complete.
        failed: whether any check failed to complete.
    """

    checks: tuple[str, ...]
    issues: tuple[Issue, ...]
    failed: bool = False

    def __str__(self) -> str:
        """One line as a summary for people, and one for each reported issue."""
        count = len(self.issues)
        head = f"validation ({', '.join(self.checks)}): {count} issue{'' if count == 1 else 's'}"
        shown = [f"  {issue.tool}: {issue.file}: {issue.message}" for issue in self.issues[:MOST_ISSUES]]
        rest = [f"  and {count - MOST_ISSUES} more"] if count > MOST_ISSUES else []
        return "\n".join([head, *shown, *rest])

    def as_json(self) -> str:
        """Return the form that is appended to the output of a patch."""
        shown = [
            {"tool": issue.tool, "file": issue.file, "message": issue.message}
            for issue in self.issues[:MOST_ISSUES]
        ]
        body = {
            "issues": shown,
            "checks": self.checks,
            "issue_count": len(self.issues),
            "truncated": len(self.issues) > len(shown),
        }
        return json.dumps({"validation": body}, ensure_ascii=False)


def read_lines(tool: str, text: str, files: Sequence[str], root: str) -> list[Issue]:
    """Parse lines such as `path:3:1: message`; a path alone does not count, nor do lines about other files.

    Args:
        tool: the name of the tool.
        text: its output.
        files: paths relative to `root`.
        root: the directory that the tool saw instead of the workspace.
    """
    issues: list[Issue] = []
    names = {file: re.compile(rf"(?<![\w/.-])(?:\./)?{re.escape(file)}(?![\w/-])") for file in files}
    for line in islice(text.splitlines(), MOST_LINES_READ):
        cleaned = line.replace(f"{root}/", "").strip()
        named = [
            (name, file) for file, one in names.items() if file in cleaned and (name := one.search(cleaned))
        ]
        if named:
            name, file = min(named, key=lambda found: found[0].start())
            if name[0] != cleaned:
                issues.append(Issue(tool, file, _message(cleaned, name.start(), name.end())[:LONGEST_LINE]))
        if len(issues) == MOST_LINES:
            break
    return issues


def read_unformatted(tool: str, text: str, files: Sequence[str], root: str) -> list[Issue]:
    """Return an issue for each file listed on its own line, optionally after `[warn]`."""
    lines = {
        line.replace(f"{root}/", "").removeprefix("[warn] ").removeprefix("./") for line in text.splitlines()
    }
    return [Issue(tool, file, "it is not formatted") for file in files if file in lines]


def read_eslint(tool: str, text: str, files: Sequence[str], root: str) -> list[Issue]:
    """Parse the JSON output of eslint (its documentation, "Formatters").

    Raises:
        ValueError: it is not in that format.
    """
    try:
        results, _ = json.JSONDecoder().raw_decode(text.lstrip())
        return [
            Issue(tool, file, _eslint_message(message))
            for result in results
            if (file := str(result["filePath"]).removeprefix(f"{root}/")) in files
            for message in result["messages"]
            if message.get("line")
        ][:MOST_LINES]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not the JSON of eslint") from error


def whole(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Return `issues` without duplicates."""
    return tuple(dict.fromkeys(issues))


def _message(cleaned: str, start: int, end: int) -> str:
    """The message about the file whose name is in the line from `start` to `end`."""
    position = _PLACE.match(cleaned, end)
    if start > 0 or position is None:
        return cleaned
    number = position[1].strip(":,").replace(",", ":")
    return f"{number}: {cleaned[position.end() :].lstrip(' -:')}"


def _eslint_message(message: dict[str, object]) -> str:
    position = ":".join(str(message[key]) for key in ("line", "column") if message.get(key))
    rule = f" ({message['ruleId']})" if message.get("ruleId") else ""
    return f"{position}: {message['message']}{rule}"[:LONGEST_LINE]
