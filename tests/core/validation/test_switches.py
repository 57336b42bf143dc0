import pytest

from code_core.validation.switches import ValidationSwitches
from code_core.validation.tools import CHECKERS


@pytest.mark.parametrize(
    ("switches", "ruff", "shfmt"),
    [
        (ValidationSwitches(), True, False),
        (ValidationSwitches(groups={"functional": False}), False, False),
        (ValidationSwitches(groups={"stylistic": True}), True, True),
        (ValidationSwitches(tools={"ruff": False, "shfmt": True}), False, True),
        (ValidationSwitches(groups={"functional": False}, tools={"ruff": True}), True, False),
        (ValidationSwitches(allowed=frozenset({"mypy"}), tools={"ruff": True}), False, False),
        (ValidationSwitches().with_tool("ruff", on=False).with_group("stylistic", on=True), False, True),
        (ValidationSwitches().with_tool("ruff", on=False).with_tool("ruff", on=True), True, False),
    ],
)
def test_enabled_checks(switches: ValidationSwitches, ruff: bool, shfmt: bool) -> None:
    assert (switches.on("ruff", "functional"), switches.on("shfmt", "stylistic")) == (ruff, shfmt)


def test_every_checker_has_a_unique_name() -> None:
    assert len({checker.name for checker in CHECKERS}) == len(CHECKERS)


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("src/a.py", {"python", "ruff", "mypy", "pyright"}),
        ("a.sh", {"shellcheck", "shfmt"}),
        (".github/workflows/ci.yml", {"actionlint", "yamllint", "yaml"}),
        ("other/workflows/ci.yml", {"yamllint", "yaml"}),
        ("a.jsonl", {"json"}),
        ("docker/Dockerfile", {"hadolint"}),
        ("a.rs", {"cargo-check"}),
        ("a.go", {"golangci-lint"}),
        ("a.tsx", {"tsc", "eslint", "prettier"}),
        ("a.php", {"phpstan", "psalm"}),
        ("README.md", {"markdownlint", "markdownlint-cli2", "prettier"}),
        ("a.txt", set()),
    ],
)
def test_checkers_for_a_file(file: str, names: set[str]) -> None:
    assert {checker.name for checker in CHECKERS if checker.checks(file)} == names
