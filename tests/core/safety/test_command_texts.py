"""The commands in the arguments of other programs."""

import pytest

from code_core.safety.command_texts import (
    embedded_commands,
    module_command,
    option_texts,
    shell_escapes,
    started,
)


def _begins(word: str) -> bool:
    return "=" not in word


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ("npm publish x", ["npm publish x"]),
        ("-y npm publish", ["npm publish"]),
        ("-p npm publish x", ["npm publish x", "publish x"]),
        ("-p a -p b npm x", ["a -p b npm x", "b npm x", "npm x"]),
        ("--package=npm publish x", ["publish x"]),
        ("-p -- npm x", ["npm x"]),
        ("A=1 npm x", []),
        ("-p A=1 npm x", ["npm x"]),
        ("-p npm", ["npm"]),
        ("-p", []),
    ],
)
def test_a_starter_runs_its_first_operand_or_the_words_after_an_option(
    arguments: str, commands: list[str]
) -> None:
    assert [" ".join(one) for one in started(arguments.split(), _begins)] == commands


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("python3 -m twine upload x", "twine upload x"),
        ("pypy3.10 -mtwine upload", "twine upload"),
        ("py -Im twine", "twine"),
        ("python -W error -X dev -m twine", "twine"),
        ("python -u x.py -m twine", ""),
        ("python x.py -m twine", ""),
        ("python -u", ""),
        ("node /usr/lib/npm-cli.js publish", "npm publish"),
        ("bun --smol x.mjs -m y", "x -m y"),
        ("node -m x", ""),
        ("perl -m x", ""),
    ],
)
def test_a_module_or_script_is_a_separate_command(command: str, module: str) -> None:
    name, *arguments = command.split()
    assert module_command(name, arguments) == module.split()


@pytest.mark.parametrize(
    ("name", "arguments", "texts"),
    [
        ("tar", ["--to-command=rm x"], ["rm x"]),
        ("tar", ["--to-com=rm x=y"], ["rm x=y"]),
        ("tar", ["-I=x"], ["=x"]),
        ("tar", ["-I", "rm x", "-F", "a b"], ["rm x", "a b"]),
        ("tar", ["-Irm x", "-Fx"], ["rm x", "x"]),
        ("tar", ["x", "-I"], []),
        ("tar", ["-xf", "--to-commands=x", "y=z"], []),
        ("tar", ["--checkpoint-action=exec=rm x"], ["rm x"]),
        ("ssh", ["-oProxyCommand=rm x", "-o", "LocalCommand rm y"], ["rm x", "rm y"]),
        ("git-rebase", ["-x", "make"], ["make"]),
        ("git", ["--exec=exec rm"], ["rm"]),
        ("ls", ["-x", "make"], []),
    ],
)
def test_the_value_of_some_options_is_a_command(name: str, arguments: list[str], texts: list[str]) -> None:
    assert list(option_texts(name, arguments)) == texts


@pytest.mark.parametrize(
    ("name", "arguments", "texts"),
    [
        ("sed", ["1e rm x", "s/a/rm y/e"], ["rm x", "rm y"]),
        ("vim", ["-c", ":!rm x", "+.shell ls"], ["rm x", "ls"]),
        ("vim", ["x"], []),
        ("cat", ["!rm x"], []),
    ],
)
def test_commands_of_an_editor_reach_the_shell(name: str, arguments: list[str], texts: list[str]) -> None:
    assert list(shell_escapes(name, arguments)) == texts


def test_string_literals_of_a_program_are_commands_separately_and_together() -> None:
    program = "subprocess.run(['git', 'push -f'])"
    words = [["git", "push", "-f"], ["push", "-f"], ["git"], ["push -f"]]
    assert list(embedded_commands("python3", ["-c", "'unused'", program])) == words
    assert list(embedded_commands("awk", ['{system("")}'])) == [[], [""]]
    assert list(embedded_commands("cat", [program])) == []


def test_only_some_of_many_literals_are_examined() -> None:
    literals = [str(number) for number in range(70)]
    commands = list(embedded_commands("perl", [f"system({literals})"]))
    assert commands[:8] == [literals[start:64] for start in range(8)]
    assert commands[8:] == [[one] for one in literals[:64]]
