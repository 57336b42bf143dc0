"""Checks the syntax of files in a separate process, because parsers can be made to crash or hang.

    python -I -S -W ignore check_syntax.py FORMAT LIBRARIES FILES…

`LIBRARIES` is the directory with modules outside the standard library. Prints a line
`path:line:column: problem` for each invalid file.
"""

import re
import sys

LARGEST_FILE = 2**20
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)")


def json_problem(source: bytes) -> str | None:
    """Return the position and description of the first problem in JSON, or None."""
    import json

    try:
        json.loads(source.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        return f"{error.lineno}:{error.colno}: {error.msg}"
    return None


def json_lines_problem(source: bytes) -> str | None:
    """Like `json_problem`, for lines of JSON."""
    for number, line in enumerate(source.splitlines(), 1):
        if line.strip() and (problem := json_problem(line)):
            return f"{number}{problem[problem.index(':') :]}"
    return None


def toml_problem(source: bytes) -> str | None:
    """Like `json_problem`, for TOML."""
    import tomllib

    try:
        tomllib.loads(source.decode())
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        position = _TOML_PLACE.search(text)
        return f"{position[1]}:{position[2]}: {text[: position.start()]}" if position else f"1: {text}"
    return None


def yaml_problem(source: bytes) -> str | None:
    """Like `json_problem`, for YAML. Only parses events, because constructed objects can be arbitrarily large."""
    import yaml

    try:
        for _ in yaml.parse(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f"{mark.line + 1}:{mark.column + 1}" if mark else "1"
        return f"{position}: {getattr(error, 'problem', None) or error}"
    return None


def python_problem(source: bytes) -> str | None:
    """Like `json_problem`, for Python; nothing is executed."""
    import ast

    try:
        compile(source, "file", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        return f"{error.lineno or 1}:{error.offset or 1}: {error.msg}"
    return None


FORMATS = {
    "json": json_problem,
    "jsonl": json_lines_problem,
    "toml": toml_problem,
    "yaml": yaml_problem,
    "python": python_problem,
}


def problem_of(kind: str, source: bytes) -> str | None:
    """Return the position and description of the first problem, or None; files over 1 MiB are not checked."""
    if len(source) > LARGEST_FILE:
        return None
    try:
        return FORMATS[kind](source)
    except (RecursionError, MemoryError):
        return "1: nested too deeply to be checked"
    except ValueError as error:
        return f"1: {error}"


def main(kind: str, libraries: str, files: list[str]) -> int:
    """Check `files` and print the problems; return 1 if there were any."""
    sys.path.append(libraries)
    found = False
    for name in files:
        with open(name, "rb") as file:  # noqa: PTH123 - pathlib takes 10 ms
            problem = problem_of("jsonl" if name.endswith(".jsonl") else kind, file.read())
        if problem is not None:
            found = True
            sys.stdout.write(f"{name}:{problem.splitlines()[0]}\n")
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
