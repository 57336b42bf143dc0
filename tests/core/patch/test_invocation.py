import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.patch.invocation import ImplicitPatch, PatchCall, detect, was_missed
from core.patch.timing import seconds

BODY = "*** Begin Patch\n*** Delete File: a\n*** End Patch"


def heredoc(word: str = "'EOF'", body: str = BODY, end: str = "EOF") -> str:
    return f"apply_patch <<{word}\n{body}\n{end}"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["apply_patch", BODY], PatchCall(BODY)),
        (["applypatch", BODY], PatchCall(BODY)),
        (["apply_patch", "anything"], PatchCall("anything")),
        (["bash", "-lc", heredoc()], PatchCall(BODY)),
        (["bash", "-c", heredoc()], PatchCall(BODY)),
        (["/bin/bash", "-c", heredoc() + "\n"], PatchCall(BODY)),
        (["/usr/local/bin/zsh", "-lc", heredoc()], PatchCall(BODY)),
        (["sh", "-c", f'applypatch << "X"\n{BODY}\nX'], PatchCall(BODY)),
        (["zsh", "-lc", heredoc("EOF")], PatchCall(BODY)),
        (["bash", "-lc", heredoc("'END OF *PATCH*'", end="END OF *PATCH*")], PatchCall(BODY)),
        (["bash", "-lc", heredoc("END-PATCH.1", end="END-PATCH.1")], PatchCall(BODY)),
        (["bash", "-lc", f"\n  {heredoc()}\n \n"], PatchCall(BODY)),
        (["bash", "-lc", heredoc("-'EOF'", body=f"\t\t{BODY}", end="\tEOF")], PatchCall(BODY)),
        (["bash", "-lc", heredoc(body=f"{BODY}\n EOF\n$x `y` \\z")], PatchCall(f"{BODY}\n EOF\n$x `y` \\z")),
        (["bash", "-lc", heredoc("EOF", body=r"+ 1$ $ '$' \d \n $,")], PatchCall(r"+ 1$ $ '$' \d \n $,")),
        (["bash", "-lc", "apply_patch <<'EOF'\nEOF"], PatchCall("")),
        (["bash", "-lc", f"set -e\n{heredoc()}"], PatchCall(BODY)),
        (["bash", "-lc", f"set -euo pipefail; set -x && cd a && {heredoc()}"], PatchCall(BODY, "a")),
        (["bash", "-lc", f"cat <<'EOF' | apply_patch\n{BODY}\nEOF"], PatchCall(BODY)),
        (["bash", "-lc", f"cd a && cat << 'EOF'|applypatch\n{BODY}\nEOF\n"], PatchCall(BODY, "a")),
        (["bash", "-lc", f"apply_patch '{BODY}'"], PatchCall(BODY)),
        (["bash", "-lc", f'set -e\ncd a && apply_patch "{BODY}"\n'], PatchCall(BODY, "a")),
        (["bash", "-lc", f"cd sub/dir && {heredoc()}"], PatchCall(BODY, "sub/dir")),
        (["bash", "-lc", f"cd /abs&&{heredoc()}"], PatchCall(BODY, "/abs")),
        (["bash", "-lc", f"cd a &&\n  {heredoc()}"], PatchCall(BODY, "a")),
        (["bash", "-lc", f"cd a && \n\n{heredoc()}"], PatchCall(BODY, "a")),
        (["bash", "-lc", f"cd 'a $b' && {heredoc()}"], PatchCall(BODY, "a $b")),
        (["bash", "-lc", f'cd "a b" && {heredoc()}'], PatchCall(BODY, "a b")),
        (["bash", "-lc", f"cd '' && {heredoc()}"], PatchCall(BODY, "")),
    ],
)
def test_a_patch_among_commands_is_found(argv: list[str], expected: PatchCall) -> None:
    assert detect(argv) == expected


@pytest.mark.parametrize("argv", [[BODY], ["bash", "-lc", BODY], ["/bin/sh", "-c", f"\n {BODY}\n"]])
def test_a_bare_patch_is_rejected_with_advice(argv: list[str]) -> None:
    found = detect(argv)
    assert isinstance(found, ImplicitPatch)
    assert 'Call it explicitly: ["apply_patch", ' in found.message


@pytest.mark.parametrize(
    "line", ["+$HOME", "+${x}", "+$(rm -rf x)", "+`date`", r"+\$x", r"+a\\b", "+$?", "+a\\"]
)
def test_a_patch_that_the_shell_would_change_is_rejected_with_advice(line: str) -> None:
    found = detect(["bash", "-lc", heredoc("EOF", body=f"{line}\n{BODY}")])
    assert isinstance(found, ImplicitPatch)
    assert "apply_patch <<'EOF'" in found.message


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["ls"],
        ["*** Begin Patch\nls"],
        ["bash", "-lc", "cat a\n*** End Patch"],
        ["/usr/bin/apply_patch", BODY],
        ["./apply_patch", BODY],
        ["echo", BODY],
        ["echo", "x", BODY],
        ["python", "-c", heredoc()],
        ["bashful", "-c", heredoc()],
        ["grep", "-r", "apply_patch"],
        ["bash", "-lc", "grep -rn apply_patch . | head"],
        ["bash", "-lc", "which apply_patch; man apply_patch"],
        ["bash", "-lc", "git commit -m 'apply_patch: fix'"],
        ["bash", "-lc", f"cat > README <<'END'\n{heredoc()}\nEND"],
        ["bash", "-lc", "sed -i s/apply_patch/x/ a # apply_patch"],
        ["bash", "-lc", "cd a &&"],
        ["bash", "-lc", "set -e\nls"],
        ["bash", "-lc", ""],
    ],
)
def test_anything_else_is_a_command(argv: list[str]) -> None:
    assert detect(argv) is None


@pytest.mark.parametrize(
    "argv",
    [
        ["apply_patch"],
        ["apply_patch", BODY, "more"],
        ["env", "apply_patch", BODY],
        ["bash", "-x", heredoc()],
        ["bash", "-lc", heredoc(), "arg"],
        ["bash", "-l", "-c", heredoc()],
        ["bash", "-c", "apply_patch < file"],
        ["bash", "-lc", f"{heredoc()}\nrm -rf x"],
        ["bash", "-lc", f"{heredoc()}\n# done"],
        ["bash", "-lc", f"{heredoc()}\n$(rm -rf x)\nEOF"],
        ["bash", "-lc", f"{heredoc()} "],
        ["bash", "-lc", heredoc(end="END")],
        ["bash", "-lc", heredoc(end="\tEOF")],
        ["bash", "-lc", f"apply_patch <<'EOF' | tee log\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch <<'EOF' && ls\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch <<'EOF'; ls\n{BODY}\nEOF"],
        ["bash", "-lc", f"mkdir x; apply_patch <<'EOF'; ls\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch -x <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch <<'EOF' >out\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch <<<'{BODY}'"],
        ["bash", "-lc", f"apply_patch '{BODY}' && ls"],
        ["bash", "-lc", f'apply_patch "{BODY}$x"'],
        ["bash", "-lc", f"cat <<'EOF' | apply_patch | cat\n{BODY}\nEOF"],
        ["bash", "-lc", f"cat <<'EOF' | apply_patch && ls\n{BODY}\nEOF"],
        ["bash", "-lc", "cat patch.txt | apply_patch"],
        ["bash", "-lc", "echo x | apply_patch || true"],
        ["bash", "-lc", f"if true; then {heredoc()}\nfi"],
        ["bash", "-lc", f"ls; {heredoc()}"],
        ["bash", "-lc", f"ls && {heredoc()}"],
        ["bash", "-lc", f"set -e\nls\n{heredoc()}"],
        ["bash", "-lc", f"X=1 {heredoc()}"],
        ["bash", "-lc", f"cd a b && {heredoc()}"],
        ["bash", "-lc", f"cd a; {heredoc()}"],
        ["bash", "-lc", f"cd a || {heredoc()}"],
        ["bash", "-lc", f"cd a && cd b && {heredoc()}"],
        ["bash", "-lc", f"cd a && ls && {heredoc()}"],
        ["bash", "-lc", f"cd && {heredoc()}"],
        ["bash", "-lc", f"cd - && {heredoc()}"],
        ["bash", "-lc", f"cd -P && {heredoc()}"],
        ["bash", "-lc", f"cd $HOME && {heredoc()}"],
        ["bash", "-lc", f'cd "$(pwd)" && {heredoc()}'],
        ["bash", "-lc", f"cd ~ && {heredoc()}"],
        ["bash", "-lc", f"cd a* && {heredoc()}"],
        ["bash", "-lc", f"cd {{a,b}} && {heredoc()}"],
        ["bash", "-lc", "bash -c 'apply_patch < p'"],
        ["bash", "-lc", "x=$(apply_patch < p); ls"],
        ["bash", "-lc", "apply_patch"],
        ["bash", "-lc", f"{heredoc()}\n{'x' * 200_000}"],
    ],
)
def test_a_script_with_a_patch_among_other_commands_is_rejected_as_a_whole(argv: list[str]) -> None:
    found = detect(argv)
    assert isinstance(found, ImplicitPatch)
    assert found.message.startswith("Nothing was run and no file was changed: ")
    assert "Send the patch as a call of its own" in found.message


@pytest.mark.parametrize(
    ("output", "missed"),
    [
        ("bash: line 1: apply_patch: command not found", True),
        ("sh: 1: apply_patch: not found\n", True),
        ("run.sh: line 3: applypatch: command not found", True),
        ("apply_patch: done", False),
        ("my_apply_patch: command not found", False),
    ],
)
def test_a_shell_that_cannot_find_apply_patch_is_noticed(output: str, missed: bool) -> None:
    assert was_missed(output) == missed


PIECES = st.sampled_from(
    [
        "apply_patch",
        "<<",
        "'EOF'",
        "EOF",
        "\n",
        " ",
        "cd a",
        "&&",
        "*** Begin Patch",
        "*** End Patch",
        "$x",
        "'",
        '"',
    ]
)


@given(st.lists(st.one_of(st.text(), st.sampled_from(["bash", "-lc", "apply_patch", BODY])), max_size=4))
def test_any_command_can_be_examined(argv: list[str]) -> None:
    detect(argv)


@given(st.lists(PIECES).map("".join))
def test_any_script_can_be_examined(script: str) -> None:
    detect(["bash", "-lc", script])


@pytest.mark.parametrize("piece", ["EOF \n", "EOFEOF", "\n", " ", "cd a && ", "'", "$"])
def test_a_script_is_scanned_in_linear_time(piece: str) -> None:
    def work(size: int) -> float:
        script = f"cd a && apply_patch <<EOF\n{piece * size}\nEOF\n{piece * size}"
        return seconds(lambda: detect(["bash", "-lc", script]))

    assert work(400_000) < 24 * max(work(50_000), 0.002)


def in_a_real_shell(script: str, directory: Path) -> tuple[str, Path]:
    """What `apply_patch` gets on its standard input, and where it runs."""
    function = "apply_patch() { cat; printf '|%s' \"$PWD\"; }; applypatch() { apply_patch; }\n"
    done = subprocess.run(
        ["bash", "-c", function + script], cwd=directory, capture_output=True, check=True, timeout=20
    )
    text, _, shell_directory = done.stdout.decode().rpartition("|")
    return text, Path(shell_directory)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
@given(
    st.sampled_from(
        [
            "",
            "cd a && ",
            "cd 'a b'&& \n",
            'cd "a b/c" && ',
            "cd ./a/.. && ",
            "cd 'a$b' && ",
            "cd '' && ",
            "set -e\n",
            "set -eu; cd a && ",
        ]
    ),
    st.sampled_from(["<<EOF", "<< 'EOF'", '<<"EOF"  ', "<<-EOF", "<<-'EOF'"]),
    st.lists(
        st.sampled_from(
            ["\tx", "+a'b\"c", "$x", "$ ", "`", r"\d", r"\\", "\\", "EOF", "\tEOF", " EOF", "", "\\\n"]
        )
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_detected_patch_is_what_a_real_shell_would_pass_on(
    tmp_path_factory: pytest.TempPathFactory, change: str, redirection: str, lines: list[str]
) -> None:
    directory = tmp_path_factory.getbasetemp().resolve()
    for name in ("a", "a b/c", "a$b"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    script = "\n".join([f"{change}apply_patch {redirection}", *lines, "EOF"])
    match detect(["bash", "-c", script]):
        case PatchCall(text=text, workdir=workdir):
            given_text, shell_directory = in_a_real_shell(script, directory)
            assert given_text == (f"{text}\n" if text or lines[:1] == [""] else "")
            assert shell_directory == (directory / (workdir or "")).resolve()
        case _:
            pass
