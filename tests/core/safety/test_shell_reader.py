"""How a script is split into commands, here-documents and pipes."""

import pytest

from code_core.safety.script import TooComplexError
from code_core.safety.shell_reader import MOST_NESTING, read_script


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        # words
        ("a 'b c' d\\ e", [["a", "b c", "d e"]]),
        ("a''b \"\" c", [["ab", "", "c"]]),
        ("a \\\nb", [["a", "b"]]),
        ("a\\\nb", [["ab"]]),
        ("\\\n", []),
        ("a\tb", [["a", "b"]]),
        ("a\u00a0b", [["a\u00a0b"]]),
        ("a 'b", [["a", "b"]]),
        ('a "b', [["a", "b"]]),
        ("a \\", [["a", ""]]),
        ('a "x\\$y\\`z\\"\\\\\\n"', [["a", 'x$y`z"\\\\n']]),
        ('"a\\\nb"', [["ab"]]),
        ("a # b; c\nd", [["a"], ["d"]]),
        ("a#b", [["a#b"]]),
        ("a # b", [["a"]]),
        # lists
        ("a;b&c|d\ne", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("a&&b||c|&d", [["a"], ["b"], ["c"], ["d"]]),
        ("a;;b", [["a"], ["b"]]),
        ("a)b", [["a"], ["b"]]),
        ("(a;b)c", [["a"], ["b"], ["c"]]),
        ("a (b) c", [["b"], ["a"], ["c"]]),
        ("{ a; } b", [["a"], ["b"]]),
        ("a { b", [["a"], ["b"]]),
        ("f() { a; }", [["f"], ["a"]]),
        # keywords
        ("if a; then b; else c; fi", [["a"], ["b"], ["c"]]),
        ("! a if", [["a", "if"]]),
        ("for x in a b; do c; done", [["x", "in", "a", "b"], ["c"]]),
        ("for case in a; do b; done; c) d", [["a"], ["b"], ["c"], ["d"]]),
        ("case x in a) b;; c|d) e;& (f) g;; esac; h", [["b"], ["e"], ["g"], ["h"]]),
        ("case x in\na) b\nc\n;;\nesac\nd", [["b"], ["c"], ["d"]]),
        ("case x in a) case y in b) c;; esac;; d) e;; esac; f)", [["c"], ["e"], ["f"]]),
        ("$(case x in a) b;; esac; c) d", [["b"], ["c"], ["$(…)", "d"]]),
        ("case x in esac; a) b", [["a"], ["b"]]),
        ("esac; case x in a) b;; esac", [["b"]]),
        ("in x", [["x"]]),
        ("case a b in c) d", [["a", "b", "in", "c"], ["d"]]),
        # redirections
        ("a > b < c", [["a"]]),
        ("a >b 2>&1 c", [["a", "c"]]),
        ("a 2 >b", [["a", "2"]]),
        ("a {fd}>b c", [["a", "c"]]),
        ("a x>b", [["a", "x"]]),
        ("a >| b >> c <> d f", [["a", "f"]]),
        ("a &>b c; d", [["a"], ["c"], ["a", "c"], ["d"]]),
        ("a &>>b c &>d e\nf", [["a"], ["c"], ["e"], ["a", "c", "e"], ["f"]]),
        (
            "(a &>b $(c &>d e) f) &>g h",
            [["a"], ["c"], ["e"], ["c", "e"], ["$(…)", "f"], ["a", "$(…)", "f"], ["h"]],
        ),
        ("&>a b", [["b"]]),
        ("a & >b c", [["a"], ["c"]]),
        ("> a b", [["b"]]),
        ("a <(b) >(c) d", [["b"], ["c"], ["a", "<()", "<()", "d"]]),
        ("a < <(b)", [["b"], ["a", "<()"]]),
        # substitutions
        ("a $(b c) d", [["b", "c"], ["a", "$(…)", "d"]]),
        ("a $(echo b)c", [["echo", "b"], ["a", "bc"]]),
        ("a `b \\`c\\`` d", [["c"], ["b", "`…`"], ["a", "`…`", "d"]]),
        ("a `echo b`c", [["echo", "b"], ["a", "bc"]]),
        ('"`a \\"b c\\"`"', [["a", "b c"], ["`…`"]]),
        ('`a \\"b`', [["a", '"b'], ["`…`"]]),
        ("a `b", [["b"], ["a", "`…`"]]),
        ("a $(b", [["b"], ["a", "$(…)"]]),
        ("$(<a b)", [["b"], ["$(…)"]]),
        ("$( < a )", [["cat", "a"], ["$(…)"]]),
        ("`<a`", [["cat", "a"], ["`…`"]]),
        ("$(a <b)", [["a"], ["$(…)"]]),
        ("$()", [["$(…)"]]),
        # expansions
        ("a $b ${c} $1 $", [["a", "$b", "${c}", "$1", "$"]]),
        ("a $b\"c\" $d'e' $f\\g", [["a", "${b}c", "${d}e", "${f}g"]]),
        ("a ${b:-$(c)}", [["c"], ["a", "${b:-$(c)}"]]),
        ("a ${b:-`c`}", [["c"], ["a", "${b:-`c`}"]]),
        ("a ${b:-'}'} c", [["a", "${b:-'}'}", "c"]]),
        ('a ${b:-"}"} c', [["a", '${b:-"}"}', "c"]]),
        ("a ${b:-\\}} c", [["a", "${b:-\\}}", "c"]]),
        ('a "${b:-\'}" c', [["a", "${b:-'}", "c"]]),
        ("a \"${b#'}'}\" c", [["a", "${b#'}'}", "c"]]),
        ("a ${b", [["a", "${b"]]),
        ("$'a\\x62' $'c\\'d' x", [["ab", "c'd", "x"]]),
        ("$'a\\0b'c", [["ac"]]),
        ("$'a", [["a"]]),
        ("\"$'a'\"", [["$'a'"]]),
        ('$"a b" c', [["a b", "c"]]),
        ('"$"', [["$"]]),
        # arrays
        ("x=(a b) c", [["a", "b"], ["x= a b"], ["c"]]),
        ("x+=(a\nb)", [["a"], ["b"], ["x+= a b"]]),
        ("x=() a", [["x="], ["a"]]),
        ("f(a)", [["a"], ["f"]]),
        # arithmetic
        ("a $((1<<2)) b", [["a", "$(…)", "b"]]),
    ],
)
def test_the_commands_of_a_script(script: str, commands: list[list[str]]) -> None:
    assert read_script(script).commands == commands


@pytest.mark.parametrize(
    ("script", "documents", "commands"),
    [
        ("cat <<E\na\nb\nE\nc", ["a\nb"], [["cat"], ["c"]]),
        ("cat << E\na\nE", ["a"], [["cat"]]),
        ("cat <<E <<F x\na\nE\nb\nF\nc", ["a", "b"], [["cat", "x"], ["c"]]),
        ("cat <<-E\n\ta\n\tE\nb", ["\ta"], [["cat"], ["b"]]),
        ("cat <<E\n\tE\nE\nb", ["\tE"], [["cat"], ["b"]]),
        ("cat <<'E'\n$(a)\nE", ["$(a)"], [["cat"]]),
        ('cat <<"E"\n$(a)\nE', ["$(a)"], [["cat"]]),
        ("cat <<\\E\n$(a)\nE", ["$(a)"], [["cat"]]),
        ('cat <<E\n"$(a)`b`\nE', ['"$(a)`b`'], [["cat"], ["a"], ["b"]]),
        ("cat <<E\na\n", [], [["cat"], ["a"]]),
        ("cat <<< 'a b' c", ["a b"], [["cat", "c"]]),
        ("cat <<<a", ["a"], [["cat"]]),
        ("cat <<<", [""], [["cat"]]),
        ("$(cat <<E\na\nE\n) b", ["a"], [["cat"], ["$(…)", "b"]]),
    ],
)
def test_here_documents(script: str, documents: list[str], commands: list[list[str]]) -> None:
    read = read_script(script)
    assert (read.documents, read.commands) == (documents, commands)


@pytest.mark.parametrize(
    ("script", "pipes"),
    [
        ("a", []),
        ("a; b", []),
        ("a || b", []),
        ("a | b", [(0, 1, 1)]),
        ("a |& b", [(0, 1, 1)]),
        ("a | b | c", [(0, 1, 1), (0, 2, 2)]),
        ("a |\nb", [(0, 1, 1)]),
        ("a | b; c | d", [(0, 1, 1), (2, 3, 3)]),
        ("a | b\nc", [(0, 1, 1)]),
        ("a | (b; c)", [(0, 1, 1), (0, 1, 2)]),
        ("(a | b) | c", [(0, 1, 1), (0, 2, 2)]),
        ("x; a | b", [(1, 2, 2)]),
        ("$(a | b) | c", [(0, 1, 1), (0, 3, 3)]),
        ("a | b $(c)", [(0, 1, 1), (0, 1, 2)]),
        ("a &>b | c", [(0, 2, 2)]),
    ],
)
def test_pipes(script: str, pipes: list[tuple[int, int, int]]) -> None:
    assert read_script(script).pipes == pipes


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("$(", ")"), ("(", ")"), ("${a:-", "}"), ("<(", ")"), ('"$(', ')"')],
)
def test_nesting_has_a_limit(opening: str, closing: str) -> None:
    inner = MOST_NESTING - 1
    assert read_script(f"{opening * inner}a{closing * inner}").commands
    with pytest.raises(TooComplexError):
        read_script(f"{opening * (inner + 1)}a{closing * (inner + 1)}")
    for _ in range(2):  # what is closed does not count
        read_script(f"{opening}a{closing} " * 50)
