"""What a script defines for its own commands."""

import pytest

from code_core.safety.script_values import Definitions, passed_texts
from code_core.safety.shell_reader import read_script


def _gathered(*scripts: str) -> Definitions:
    definitions = Definitions()
    for script in scripts:
        definitions.gather(read_script(script))
    return definitions


@pytest.mark.parametrize(
    ("script", "name", "values"),
    [
        ("x=a y=b", "x", ["a"]),
        ("x=a y=b", "y", ["b"]),
        ("x=a; x+=b", "x", ["b", "ab", "a"]),
        ("declare x=a", "x", ["a"]),
        ("env x=a git", "x", ["a"]),
        ("sudo x=a git", "x", ["a"]),
        ("echo x=a", "x", []),
        ("x=([a]=git [b]=push)", "x", [" git push"]),
        ("x[1]=a", "x", ["a"]),
        ("for x in a b; do :; done", "x", ["b", "a"]),
        ("x inn a", "x", []),
        ("set -- git push", "@", ["git push"]),
        ("set 'a b' c", "@", ["'a b' c"]),
        ("printf -v x %s-%s a b", "x", ["a-b", "%s-%s a b"]),
        ("printf -w x a", "x", []),
        # arguments of functions
        ("f() { $1; }; f git push", "@", ["git push", ""]),
        ("f() { shift; $1; }; f git push", "@", ["git push", "push", ""]),
        ("f() { shift; $1; }; f a git push", "@", ["a git push", "git push", ""]),
        ("g git push", "@", []),
        # what is printed, and read
        ("echo a b", "$(…)", ["a b"]),
        ("y=c; printf '%s-' $y", "$(…)", ["c-", "%s- c"]),
        ("cat a b", "$(…)", []),
        ("cat <<E\na\nE", "$(…)", ["a"]),
        ("read x <<< 'a b'", "x", ["b", "a", "a b"]),
        ("read -r x y <<< a", "y", ["a"]),
        ("IFS=: read x <<< a:b", "x", ["b", "a", "a:b"]),
        ("mapfile x <<E\na b\nc\nE", "x", ["c", "b", "a", "a b", "a b\nc"]),
        ("IFS=: read x <<< 'a:b c'", "x", ["c", "b", "a", "a:b", "a:b c"]),
        ("readarray x <<< a", "x", ["a"]),
        ("cut x <<< a", "x", []),
        ("echo a | read x", "x", ["a"]),
    ],
)
def test_the_values_that_a_script_defines(script: str, name: str, values: list[str]) -> None:
    assert _gathered(script).values.of(name) == values


def test_aliases() -> None:
    definitions = _gathered(
        "alias g=git h='git push'; alias g='hg'; hash -p /bin/git x; hash -r; hash -q a b"
    )
    assert definitions.aliases("g") == ["git", "hg"]
    assert definitions.aliases("h") == ["git push"]
    assert definitions.aliases("x") == ["/bin/git"]
    assert definitions.aliases("b") == definitions.aliases("none") == []


def test_only_some_functions_arguments_are_examined() -> None:
    for count, values in ((64, ["push", ""]), (65, [])):
        functions = "; ".join(f"f{number}() {{ :; }}" for number in range(count - 1))
        assert _gathered(f"{functions}; f0 push").values.of("@") == values


@pytest.mark.parametrize(
    ("words", "assigned", "texts"),
    [
        ("cat a b", "", ["a", "b", "a", "b", "a b"]),
        ("cat x=a", "y=b", ["y=b", "x=a", "b", "a", "x=a"]),
        ("echo -n a b", "", ["-n", "a", "b", "-n", "a", "b", "a b", "-n a b"]),
        ("echo a b", "", ["a", "b", "a", "b", "a b", "a b"]),
        ("cat x=y=a", "", ["x=y=a", "y=a", "x=y=a"]),
        ("git a", "x=y", []),
        ("grep a", "", []),
        ("", "x=a", ["x=a", "a", ""]),
    ],
)
def test_the_texts_that_a_command_passes_on(words: str, assigned: str, texts: list[str]) -> None:
    assert passed_texts(words.split(), assigned.split()) == texts
