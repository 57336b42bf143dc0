"""Checks the syntax of Python files, in a process of its own: the parser can be made to crash.

python -I -S -W ignore python_syntax.py FILES
"""

import ast
import sys


def problem_of(path: str) -> str | None:
    """What is wrong with the file, after its path and place; None if nothing is."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes 10 ms
        source = file.read()
    try:
        compile(source, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        return f"{path}:{error.lineno or 1}:{error.offset or 1}: {error.msg}"
    except (RecursionError, MemoryError):
        return f"{path}:1: nested too deeply to be checked"
    except ValueError as error:
        return f"{path}:1: {error}"
    return None


if __name__ == "__main__":
    problems = list(filter(None, map(problem_of, sys.argv[1:])))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(bool(problems))
