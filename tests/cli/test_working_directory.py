"""A working directory that is not a directory: every command reports it in one line."""

import pytest

from support.command import Workspace


@pytest.mark.parametrize("command", [["acp"], ["mcp-server"], ["exec", "hi"]])
@pytest.mark.parametrize("path", ["/etc/passwd", "/no/such\x1b/place"])
def test_one_line_and_exit_code_2(workspace: Workspace, command: list[str], path: str) -> None:
    done = workspace.run(*command, "-C", path, stdin="")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("code: the working directory ")
    assert line.endswith(" is not a directory")
    assert "\x1b" not in line
