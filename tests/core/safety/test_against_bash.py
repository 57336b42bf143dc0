"""Every command that bash runs is found in the script; bash itself is the reference."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from code_core.safety.confirm_guard import guard_of
from code_core.safety.normal_form import normal_form
from code_core.safety.rules import PrefixRule, RuleDecision, strictest
from code_core.safety.script import TooComplexError
from code_core.safety.statements import statements

STUBS = ("git", "npm", "deploy", "ls")
FORBIDDEN = PrefixRule((frozenset({"git"}), frozenset({"push"})), RuleDecision.FORBIDDEN)
RULES = [
    FORBIDDEN,
    PrefixRule((frozenset({"npm"}), frozenset({"publish"})), RuleDecision.FORBIDDEN),
    PrefixRule((frozenset({"deploy"}),), RuleDecision.FORBIDDEN),
]

COMMANDS = st.sampled_from(["git push", "git -C . push x", "npm publish", "deploy now", "git status", "ls x"])

REDIRECTIONS = [
    "2>&1",
    ">/dev/null",
    "&> /dev/null",
    "&>>/dev/null",
    ">& /dev/null",
    ">| /dev/null",
    "< /dev/null",
    "<<< 'a b'",
    "2>&-",
    "3<>/dev/null",
    "{fd}>/dev/null",
    "> >(cat)",
    "< <(true)",
]


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


def _spell_word(word: str, way: int) -> str:
    """`word` written in another way that bash reads as the same."""
    if not word.isalnum():
        return word
    match way:
        case 0:
            return word
        case 1:
            return f"{word[0]}''{word[1:]}"
        case 2:
            return f'"{word}"'
        case 3:
            return f"\\{word}"
        case 4:
            return f"$'\\x{ord(word[0]):02x}{word[1:]}'"
        case 5:
            return f"{word[:1]}\\\n{word[1:]}"
        case 6:
            return f'{word[:1]}$unset""{word[1:]}'
        case 7:
            return f"{word[:1]}$@{word[1:]}"
        case 8:
            return f"{word[:1]}$(true){word[1:]}"
        case 9:
            return f"${{unset:-{word}}}"
        case 10:
            return f"$(echo {word})"
        case 11:
            return f"$(printf '%s' {word})"
        case _:
            return f"`echo {word}`"


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """A command, each of its words in some spelling, or from a variable."""
    words = draw(COMMANDS).split()
    before, after = [], []
    for index, word in enumerate(words):
        if word.isalnum() and draw(st.integers(0, 4)) == 0:
            name = f"V{index}"
            before.append(f"{name}={_spell_word(word, draw(st.integers(0, 5)))}")
            after.append(draw(st.sampled_from([f"${name}", f"${{{name}}}", f'"${name}"', f"${{{name}:-x}}"])))
        else:
            after.append(_spell_word(word, draw(st.integers(0, 12))))
        if draw(st.integers(0, 5)) == 0:
            after.append(draw(st.sampled_from(REDIRECTIONS)))
    return "; ".join([*before, " ".join(after)])


WRAPPINGS = [
    "true && {}",
    "false || {}",
    "true; {}",
    "{} &\nwait",
    "true | {}",
    "{} | cat",
    "( {}\n)",
    "{{ {}; }}",
    "echo $({})",
    'echo "a $({}) b"',
    "if true; then {}; fi",
    "if {}; then true; fi",
    "for i in 1 2; do {}; done",
    "while true; do {}; break; done",
    "until {}; do break; done",
    "case a in a) {} ;; esac",
    "f() {{ {}\n}}; f",
    "function g {{ {}; }}\ng",
    "! {}",
    "{} > /dev/null 2>&1",
    "cat < <({})",
    "x=$({})",
    "cat <<E\n$({})\nE",
    "cat <<'E' > /dev/null\n$(\nE\n{}",
    "# a comment with ' and (\n{}",
    "echo $((1<<1)) # it's\n{}",
    "[[ a == a ]] && {}",
    "bash -c QUOTED",
    "sh -c QUOTED",
    "bash -ec QUOTED",
    "bash <<< QUOTED",
    "bash <<'E'\n{}\nE",
    "eval QUOTED",
    "trap QUOTED EXIT",
    "echo QUOTED | bash",
    "printf %s QUOTED | sh -s",
    "env A=1 bash -c QUOTED",
    'env -i PATH="$PATH" RAN="$RAN" bash -c QUOTED',
    "nice -n 1 bash -c QUOTED",
    "timeout -k 1 9 bash -c QUOTED",
    "timeout --signal=TERM 9 sh -c QUOTED",
    "command bash -c QUOTED",
    "exec bash -c QUOTED",
    "nohup bash -c QUOTED 2> /dev/null",
    "echo x | xargs -I y bash -c QUOTED",
    "source <(echo QUOTED)",
    'S=QUOTED; eval "$S"',
    'S=QUOTED; bash -c "$S"',
    "export S=QUOTED; bash -c 'eval \"$S\"'",
    "bash -c 'eval \"$1\"' _ QUOTED",
    'f() {{ eval "$1"; }}; f QUOTED',
    'set -- QUOTED; eval "$1"',
    'while read -r line; do eval "$line"; done <<< QUOTED',
    "{}; echo 'open",
]


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """A command in up to four wrappings."""
    script = draw(spelled())
    for wrapping in draw(st.lists(st.sampled_from(WRAPPINGS), max_size=4)):
        script = (
            wrapping.replace("QUOTED", _quoted(script)) if "QUOTED" in wrapping else wrapping.format(script)
        )
    return script


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of programs that only write down how they were called, and the few that wrap others."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in STUBS:
        program = folder / name
        program.write_text(f'#!/bin/sh\n{{ printf "%s\\036" {name} "$@"; printf "\\n"; }} >> "$RAN"\n')
        program.chmod(0o755)
    (folder / "sh").symlink_to("/bin/bash")  # dash does not know `$'…'`
    for name in ("bash", "cat", "env", "nice", "timeout", "nohup", "xargs", "true", "printf", "echo"):
        (folder / name).symlink_to(f"/bin/{name}")
    return folder


def _ran(script: str, stubs: Path) -> list[tuple[str, ...]]:
    """The calls of the stubs when bash runs `script`."""
    log = stubs / "ran"
    log.unlink(missing_ok=True)
    subprocess.run(
        ["/bin/bash", "-c", script],
        env={"PATH": str(stubs), "RAN": str(log)},
        cwd=stubs,
        capture_output=True,
        timeout=5,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    return [tuple(line.split("\x1e")[:-1]) for line in lines]


@settings(
    deadline=None,
    max_examples=int(os.environ.get("CODE_FUZZ_EXAMPLES", "100")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scripts())
def test_rules_apply_to_whatever_bash_runs(stubs: Path, script: str) -> None:
    calls = _ran(script, stubs)
    try:
        found = statements(["bash", "-c", script])
    except TooComplexError:
        return
    programs = {normal_form(words)[0] for words in found}
    for call in calls:
        if strictest(RULES, [call]) is not None:
            assert strictest(RULES, found) is not None, (script, call)
        assert call[0] in programs, (script, call)
    assert guard_of(["bash", "-c", script], found) is None  # nothing here destroys work
