import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.patch import ImplicitPatch, PatchCall, detect

BODY = "*** Begin Patch\n*** Delete File: a\n*** End Patch"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["apply_patch", BODY], PatchCall(BODY)),
        (["applypatch", BODY], PatchCall(BODY)),
        (["bash", "-lc", f"apply_patch <<'EOF'\n{BODY}\nEOF"], PatchCall(f"{BODY}\n")),
        (["/bin/bash", "-c", f"apply_patch <<'EOF'\n{BODY}\nEOF\n"], PatchCall(f"{BODY}\n")),
        (["sh", "-c", f'applypatch << "X"\n{BODY}\nX'], PatchCall(f"{BODY}\n")),
        (["zsh", "-lc", f"apply_patch <<EOF\n{BODY}\nEOF"], PatchCall(f"{BODY}\n")),
        (
            ["bash", "-lc", f"cd sub/dir && apply_patch <<'EOF'\n{BODY}\nEOF"],
            PatchCall(f"{BODY}\n", "sub/dir"),
        ),
        (["bash", "-lc", f"cd 'a b' && apply_patch <<'EOF'\n{BODY}\nEOF"], PatchCall(f"{BODY}\n", "a b")),
        (["bash", "-lc", f'cd "a b" && apply_patch <<EOF\n{BODY}\nEOF'], PatchCall(f"{BODY}\n", "a b")),
    ],
)
def test_a_patch_among_commands_is_found(argv: list[str], expected: PatchCall) -> None:
    assert detect(argv) == expected


@pytest.mark.parametrize("argv", [[BODY], ["bash", "-lc", BODY], ["sh", "-c", f"\n{BODY}\n"]])
def test_a_bare_patch_is_refused_with_advice(argv: list[str]) -> None:
    found = detect(argv)
    assert isinstance(found, ImplicitPatch)
    assert "Call it explicitly" in found.message


@pytest.mark.parametrize(
    "argv",
    [
        ["ls"],
        ["apply_patch"],
        ["apply_patch", BODY, "more"],
        ["echo", BODY],
        ["bash", "-x", f"apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["python", "-c", f"apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch <<'EOF'\n{BODY}\nEOF\nrm -rf x"],
        ["bash", "-lc", f"apply_patch <<'EOF' | tee log\n{BODY}\nEOF"],
        ["bash", "-lc", f"ls; apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"cd a b && apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"cd a; apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"cd a || apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"cd $HOME && apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f'cd "$(pwd)" && apply_patch <<EOF\n{BODY}\nEOF'],
        ["bash", "-lc", f"cd ~ && apply_patch <<'EOF'\n{BODY}\nEOF"],
        ["bash", "-lc", f"apply_patch <<EOF\n{BODY}\n$(rm -rf x)\nEOF"],
        ["bash", "-lc", f"apply_patch <<'EOF'\n{BODY}\nEOF\n$(rm -rf x)\nEOF"],
        ["bash", "-lc", "apply_patch"],
        [],
    ],
)
def test_anything_else_is_a_command(argv: list[str]) -> None:
    assert detect(argv) is None


@given(st.lists(st.one_of(st.text(), st.sampled_from(["bash", "-lc", "apply_patch", BODY])), max_size=4))
def test_no_command_is_too_strange(argv: list[str]) -> None:
    detect(argv)
