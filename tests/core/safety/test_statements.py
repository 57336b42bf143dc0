import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from code_core.safety.script import TooComplexError
from code_core.safety.statements import statements

GUARDED = ("rm", "-rf", ".")


@pytest.mark.parametrize(
    "script",
    [
        *(
            "rm -rf .",
            "a && rm -rf .",
            "a || rm -rf .",
            "a; rm -rf .",
            "a & rm -rf .",
            "a | rm -rf .",
            "a\nrm -rf .",
        ),
        *(
            "(rm -rf .)",
            "{ rm -rf .; }",
            "$(rm -rf .)",
            "`rm -rf .`",
            'echo "$(rm -rf .)"',
            'echo "`rm -rf .`"',
        ),
        *("! rm -rf .", "X=1 rm -rf .", "X=1 Y=$(a) rm -rf .", "time rm -rf .", "if rm -rf .; then a; fi"),
        *("for x in a; do rm -rf .; done", "while a; do b; rm -rf .; done", "f() { rm -rf .; }; f"),
        *("case x in a) rm -rf .;; esac", "$(case x in a) rm -rf .;; esac)", "function f { rm -rf .; }"),
        *(
            "r'm' \"-rf\" .",
            "\\rm -r\\f .",
            "$'\\x72m' -rf .",
            "$'r\\155' -rf .",
            "rm \\\n-rf .",
            'r""m -rf .',
        ),
        *(
            "a > b; rm -rf .",
            "rm -rf . > /dev/null 2>&1",
            "> x rm -rf .",
            "2>&1 rm -rf .",
            "cat < <(rm -rf .)",
        ),
        *(
            "cat <<E\nE\nrm -rf .",
            "cat <<'E'\nx\nE\nrm -rf .",
            "cat <<-E\n\tE\nrm -rf .",
            "cat <<E\n$(rm -rf .)\nE",
        ),
        *(
            "cat <<E && rm -rf .\nE",
            "bash <<E\nrm -rf .\nE",
            "cat <<E | sh\nrm -rf .\nE",
            "bash <<< 'rm -rf .'",
        ),
        *(
            "echo 'rm -rf .' | bash",
            "echo rm -rf . > f; source f",
            "x=$((1<<2))\nrm -rf .",
            "((1<<2))\nrm -rf .",
        ),
        *("echo ${x:-$(rm -rf .)}", 'echo "${x:-`rm -rf .`}"', "echo # 'x\nrm -rf .", "echo a#'b'; rm -rf ."),
        *(
            "bash -c 'rm -rf .'",
            "sh -lc \"bash -c 'rm -rf .'\"",
            "/bin/bash -e -c 'rm -rf .'",
            "eval rm -rf .",
        ),
        *(
            "eval 'rm -rf' .",
            "sudo rm -rf .",
            "sudo -u x env A=1 rm -rf .",
            "timeout 5 rm -rf .",
            "su -c 'rm -rf .'",
        ),
        *("xargs -n 1 rm -rf .", "find . -exec rm -rf . ';'", "trap 'rm -rf .' EXIT", "rm -rf .; echo 'open"),
        *(
            "echo ')' ; rm -rf .",
            "a) rm -rf .",
            "exec nice -n 5 nohup rm -rf .",
            "[[ a =~ (b) ]] && rm -rf .",
        ),
        # What a shell reads differently from what it looks like.
        *(
            "echo a\u00a0b; rm -rf .",
            'echo "${v//\'"\'/}"; rm -rf .',
            'echo "${v%\'"\'}"; rm -rf .',
            "a[1<<2]=3\nrm -rf .",
            "echo $[1<<2]\nrm -rf .",
            "cat <<E\r\nE\r\nrm -rf . #\r\n",
            "((cat <<E) )\nit's\nE\nrm -rf .",
            "{fd}>log rm -rf .",
            "$'rm\\0x' -rf .",
            "time -p rm -rf .",
            "{rm,-rf,.}",
        ),
        # What comes from a variable, an argument or a substitution.
        *(
            "$SUDO rm -rf .",
            "${SUDO:-sudo} rm -rf .",
            "RM='rm -rf .'; $RM",
            "cmd='rm -rf .'; eval \"$cmd\"",
            'run() { echo "+ $*"; "$@"; }\nrun rm -rf .',
            'run() { sudo "$@"; }; run rm -rf .',
            "$SHELL -c 'rm -rf .'",
            "$(echo rm -rf .)",
            "eval \"$(cat <<'E'\nrm -rf .\nE\n)\"",
            "while read -r c; do $c; done <<E\nrm -rf .\nE",
            "alias d='rm -rf .'; d",
            "bash -c '\"$@\"' _ rm -rf .",
        ),
        # Programs that run others.
        *(
            "env -S'rm -rf .'",
            "env --split-string='rm -rf .'",
            "script -qc'rm -rf .' x",
            "nsenter rm -rf .",
            "fish -c 'rm -rf .'",
            "git -c alias.x='!rm -rf .' x",
            "git submodule foreach 'rm -rf .'",
            "git rebase -x 'rm -rf .' main",
            "git bisect run rm -rf .",
        ),
    ],
)
def test_commands_in_scripts_are_found(script: str) -> None:
    assert GUARDED in statements(["bash", "-lc", script])


@pytest.mark.parametrize(
    "script",
    [
        *("echo 'rm -rf .'", "git commit -m 'a; rm -rf .'", "grep 'rm -rf .' x", "cat <<E\nrm -rf .\nE"),
        *("# rm -rf .", "echo a # ; rm -rf .", "echo \\; rm -rf .", "ls rm -rf ."),
        *("xargs grep 'rm -rf .'", "timeout 9 git commit -m 'rm -rf .'", "env A=1 git commit -m 'rm -rf .'"),
        *(
            "which bash; echo 'rm -rf .'",
            "bash t.sh && git commit -m 'rm -rf .'",
            "$PYTHON x; grep 'rm -rf .' y",
        ),
    ],
)
def test_plain_text_is_not_taken_for_a_command(script: str) -> None:
    assert GUARDED not in statements(["bash", "-lc", script])


def test_an_argument_vector_is_not_a_script() -> None:
    assert statements(["echo", "a; rm -rf ."]) == (("echo", "a; rm -rf ."),)


@pytest.mark.parametrize(
    "script",
    ["$(" * 45, "(" * 45, "${a:-" * 45, "x " + "`" * 3 + "\\`" * 10_000, "a<<x\n" * 5_000, "echo a;" * 5_000]
    + [
        "'" * 50_000,
        '"$(' * 5_000,
        "sudo " * 5_000 + "x",
        "env " + "a " * 20_000,
        "bash -c " * 2_000 + "'a b'",
        "find . -exec a " * 6_000,
        "git " + "run " * 20_000,
    ]
    + [
        "echo {" + "a," * 10_000 + "a}" + "x" * 40_000,
        "x=" + "a" * 4_000 + "\necho " + "$x" * 20_000,
        "read " + "a b " * 6_000 + "<<< '" + "c d " * 6_000 + "'",
        "x=" + "ab" * 120 + "; echo " + "${x##" + "*a" * 5_000 + "}" * 300,
    ]
    + [blank * 1_000 for blank in "\u00a0\u2028\x85\x1c\r\v\f"]
    + [f"echo a{blank}b" for blank in "\u00a0\u3000\x1f"],
)
def test_hostile_scripts_take_little_time(script: str) -> None:
    started = time.process_time()
    with suppress(TooComplexError):
        statements(["bash", "-c", script])
    assert time.process_time() - started < 3


def test_a_command_too_long_for_one_argument_is_rejected() -> None:
    with pytest.raises(TooComplexError):
        statements(["bash", "-c", "a " * 2**16])
    with pytest.raises(TooComplexError):
        statements(["a"] * (2**17 + 1))


def test_endless_nesting_is_rejected() -> None:
    with pytest.raises(TooComplexError):
        statements(["bash", "-c", "$(" * 100])
    with pytest.raises(TooComplexError):
        statements(["bash", "-c", "eval " * 100 + "rm -rf ."])


def quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


WRAPPINGS = st.sampled_from(
    [
        "true && {}",
        "false || {}",
        "true; {}",
        "true\n{}",
        "true & {}",
        "true | {}",
        "{} | true",
        "({})",
        "( {}\n)",
        "{{ {}; }}",
        "echo $({})",
        'echo "a $({}) b"',
        "X=1; {}",
        "if true; then {}; fi",
        "for i in 1 2; do {}; done",
        "f() {{ {}\n}}; f",
        "echo 'a;b' \"c)d\" && {}",
        "cat <<E\nit's\nE\n{}",
        "cat <<'E' >/dev/null\n$(\nE\n{}",
        "echo $((1<<1)) # it's (\n{}",
        "case a in a) {} ;; esac",
        "bash -c QUOTED",
        "sh -c QUOTED",
        "eval QUOTED",
        "env A=1 bash -ec QUOTED",
        "printf %s QUOTED | bash",
        "bash <<< QUOTED",
        "trap QUOTED EXIT",
        "! {}",
        "{} 2>&1 >/dev/null",
        "while {}; do break; done",
        "x=${{y:-$({})}}",
        "cat < <({})",
        "{}; echo 'open",
    ]
)
SPELLINGS = st.sampled_from(
    [
        "rm -rf x",
        "r'm' -rf x",
        '"rm" "-rf" x',
        "\\rm -r\\f x",
        "rm \\\n -rf x",
        "$'\\x72m' -rf x",
        "A=1 rm -rf x",
    ]
)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose `rm` only writes down that it ran."""
    folder = tmp_path_factory.mktemp("stub")
    program = folder / "rm"
    program.write_text('#!/bin/sh\necho "$@" >> "$RAN"\n')
    program.chmod(0o755)
    return folder


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SPELLINGS, st.lists(WRAPPINGS, max_size=4))
@example("rm -rf x", ["{}; echo 'open", "bash -c QUOTED"])
def test_everything_that_bash_runs_is_found(stub: Path, command: str, wrappings: list[str]) -> None:
    script = command
    for wrapping in wrappings:
        script = (
            wrapping.replace("QUOTED", quoted(script)) if "QUOTED" in wrapping else wrapping.format(script)
        )
    ran = stub / "ran"
    ran.unlink(missing_ok=True)
    environment = {"PATH": f"{stub}:{os.environ['PATH']}", "RAN": str(ran)}
    subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=stub,
        capture_output=True,
        timeout=20,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    found = ("rm", "-rf", "x") in statements(["bash", "-c", script])
    assert found or not ran.exists(), script
