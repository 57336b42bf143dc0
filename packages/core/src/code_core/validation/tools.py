"""The table of checkers: what they check, how to run them, and how to parse their output."""

import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from code_core.frozen import frozen
from code_core.protocol.validation import ValidationGroup, ValidationTool
from code_core.validation.findings import Issue, read_eslint, read_lines, read_unformatted

Reader = Callable[[str, str, Sequence[str], str], list[Issue]]

_PHP, _SHELL, _YAML, _MARKDOWN = ("*.php",), ("*.sh", "*.bash"), ("*.yaml", "*.yml"), ("*.md", "*.markdown")
_JSON_WITH_COMMENTS = (
    "tsconfig*.json", "jsconfig*.json", ".vscode/*.json", "devcontainer.json", ".devcontainer.json", ".eslintrc.json",
    "api-extractor.json",
)  # fmt: skip
_SCRIPT = ("*.js", "*.mjs", "*.cjs", "*.jsx", "*.ts", "*.tsx")


@frozen
class Checker:
    """A program that checks files.

    Attributes:
        patterns: the files, as patterns for `PurePath.match`.
        arguments: its program, found on PATH unless absolute, and the arguments before the files.
        markers: for one that checks a whole project, files that identify a project's root.
        takes_files: whether it gets the files as arguments; otherwise it checks the project.
        seconds: its time limit, if different from the default.
        runs_code: whether workspace settings can make it run programs, so that it needs a sandbox.
        codes: exit codes of successful runs, with or without issues.
        reader: parses its output.
        but_not: files to exclude, like `patterns`.
    """

    name: ValidationTool
    group: ValidationGroup
    patterns: tuple[str, ...]
    arguments: tuple[str, ...]
    markers: tuple[str, ...] = ()
    takes_files: bool = True
    seconds: float | None = None
    runs_code: bool = False
    codes: tuple[int, ...] = (0, 1)
    reader: Reader = read_lines
    but_not: tuple[str, ...] = ()

    def checks(self, file: str) -> bool:
        """Whether it checks a file, given by its path in the workspace."""
        parts = file.split("/")
        return _ends_as(parts, self.patterns) and not _ends_as(parts, self.but_not)


def _ends_as(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Like `PurePath.match`, but ten times faster: every file of a patch is compared with 50 patterns."""
    ends = (pattern.split("/") for pattern in patterns)
    return any(len(parts) >= len(end) and all(map(fnmatchcase, parts[-len(end) :], end)) for end in ends)


def _syntax(kind: ValidationTool, *patterns: str, but_not: tuple[str, ...] = ()) -> Checker:
    """Our own syntax check for a format; YAML's parser is not in the standard library."""
    spec = find_spec("yaml")
    libraries = str(Path(spec.origin).parents[1]) if spec is not None and spec.origin is not None else ""
    script = str(Path(__file__).with_name("check_syntax.py"))
    arguments = (sys.executable, "-I", "-S", "-W", "ignore", script, kind, libraries)
    return Checker(kind, "functional", patterns, arguments, but_not=but_not)


CHECKERS = (
    _syntax("json", "*.json", "*.jsonl", but_not=_JSON_WITH_COMMENTS),
    _syntax("toml", "*.toml"),
    _syntax("yaml", *_YAML, but_not=("templates/*.yaml", "templates/*.yml")),  # Helm templates, which become YAML when rendered
    _syntax("python", "*.py", "*.pyi"),
    Checker("actionlint", "functional", (".github/workflows/*.yml", ".github/workflows/*.yaml"),
            ("actionlint", "-oneline", "-no-color")),
    Checker("cargo-check", "functional", ("*.rs",), ("cargo", "check", "--offline", "--message-format=short"),
            markers=("Cargo.toml",), takes_files=False, seconds=30, runs_code=True, codes=(0, 101)),
    Checker("eslint", "functional", _SCRIPT, ("eslint", "--format", "json", "--no-color"),
            markers=("package.json",), seconds=15, runs_code=True, reader=read_eslint),
    Checker("golangci-lint", "functional", ("*.go",), ("golangci-lint", "run", "--color=never"),
            markers=("go.mod",), takes_files=False, seconds=20, runs_code=True),
    Checker("hadolint", "stylistic", ("Dockerfile", "Dockerfile.*", "*.dockerfile"), ("hadolint", "--no-color")),
    Checker("markdownlint", "stylistic", _MARKDOWN, ("markdownlint",), runs_code=True),
    Checker("markdownlint-cli2", "stylistic", _MARKDOWN, ("markdownlint-cli2",), runs_code=True),
    Checker("mypy", "functional", ("*.py", "*.pyi"),
            ("mypy", "--no-error-summary", "--no-color-output", "--hide-error-context", "--no-pretty"),
            markers=("pyproject.toml", "mypy.ini", "setup.cfg"), seconds=20, runs_code=True),
    Checker("phpstan", "functional", _PHP, ("phpstan", "analyse", "--error-format=raw", "--no-progress"),
            markers=("composer.json",), seconds=20, runs_code=True),
    Checker("prettier", "stylistic", (*_SCRIPT, "*.css", "*.html", *_MARKDOWN), ("prettier", "--check", "--no-color"),
            runs_code=True, reader=read_unformatted),
    Checker("psalm", "functional", _PHP, ("psalm", "--output-format=emacs", "--no-progress"),
            markers=("psalm.xml",), seconds=20, runs_code=True, codes=(0, 1, 2)),
    Checker("pyright", "functional", ("*.py", "*.pyi"), ("pyright",),
            markers=("pyproject.toml", "pyrightconfig.json"), seconds=20, runs_code=True),
    Checker("ruff", "functional", ("*.py", "*.pyi"), ("ruff", "check", "--no-cache", "--output-format=concise")),
    Checker("shellcheck", "functional", _SHELL, ("shellcheck", "--format=gcc", "--color=never")),
    Checker("shfmt", "stylistic", _SHELL, ("shfmt", "-l"), reader=read_unformatted),
    Checker("tsc", "functional", ("*.ts", "*.tsx"), ("tsc", "--noEmit", "--pretty", "false"),
            markers=("tsconfig.json",), takes_files=False, seconds=20, runs_code=True, codes=(0, 1, 2)),
    Checker("yamllint", "stylistic", _YAML, ("yamllint", "--format=parsable")),
)  # fmt: skip
