import os
from pathlib import Path

import pytest

from code_core.safety.statements import statements
from code_core.tools import command_files
from code_core.tools.command_files import TooManyFilesError, files_of

COMMANDS = [
    (("python3", "tool.py"), "tool.py"),
    (("bash", "./tool.py", "x"), "tool.py"),
    (("./tool.py",), "tool.py"),
    (("node", "--require=./tool.py"), "tool.py"),
    (("bash", "-c", "true && ./tool.py"), "tool.py"),
    (("bash", "-c", "cd sub && ./inner.sh"), "sub/inner.sh"),
    (("sudo", "-u", "x", "./tool.py"), "tool.py"),
    (("make",), "Makefile"),
    (("make", "-C", "sub", "all"), "sub/Makefile"),
    (("npm", "test"), "package.json"),
    (("npm", "--prefix", "sub", "test"), "sub/package.json"),
    (("bash", "-lc", "npm test"), "package.json"),
    (("git", "push"), ".git/config"),
    (("git", "push"), ".git/hooks/pre-push"),
    (("./link",), "tool.py"),
    *(
        (("bash", "-c", script), "tool.py")
        for script in (
            'bash "$PWD/tool.py"',
            "bash ${PWD}/tool.py",
            "bash $(pwd)/tool.py",
            "`git rev-parse --show-toplevel`/tool.py",
            "bash t*.py",
            "for f in ./t*.py; do bash $f; done",
            "bash < tool.py",
            "cat tool.py | sh",
            "cat tool.py | xargs bash",
            'eval "$(cat tool.py)"',
            "BASH_ENV=tool.py bash x",
            "mv tool.py y; ./y",
            "curl -K tool.py x",
            "curl --config=tool.py x",
        )
    ),
    (("bash", "-c", "cd $PWD/sub && ./inner.sh"), "sub/inner.sh"),
    (("bash", "-c", "bash */*.sh"), "sub/inner.sh"),
    (("npx", "eslint", "."), "package.json"),
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name in (
        "tool.py", "other.py", "Makefile", "package.json", ".git/config", ".git/hooks/pre-push", "sub/inner.sh",
        "sub/Makefile", "sub/package.json",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    for name in ("objects", "refs"):
        (tmp_path / ".git" / name).mkdir()
    (tmp_path / "link").symlink_to("tool.py")
    return tmp_path


def files(argv: tuple[str, ...], work: Path) -> object:
    return files_of(statements(argv), argv, work)


@pytest.mark.parametrize(("argv", "name"), COMMANDS)
def test_a_change_of_what_a_command_runs_is_seen(work: Path, argv: tuple[str, ...], name: str) -> None:
    before = files(argv, work)
    assert files(argv, work) == before
    (work / "other.py").write_text("changed")
    assert files(argv, work) == before
    path = work / name
    content = path.read_text()
    path.write_text("changed")
    assert files(argv, work) != before
    path.write_text(content)
    assert files(argv, work) == before
    _copy(path).replace(path)
    assert files(argv, work) != before  # the same text in another file


def _copy(path: Path) -> Path:
    copy = path.with_suffix(".copy")
    copy.write_text(path.read_text())
    return copy


def test_a_link_that_points_elsewhere_is_seen(work: Path) -> None:
    before = files(("./link",), work)
    (work / "link").unlink()
    (work / "link").symlink_to("other.py")
    assert files(("./link",), work) != before


@pytest.mark.parametrize(
    "argv",
    [
        ("touch", "tool.py"),
        ("cp", "tool.py", "new"),
        ("rm", "tool.py"),
        ("bash", "-c", "cp *.py $PWD/new"),
        ("bash", "-c", "cat tool.py | grep x > new"),
        ("bash", "-c", "git push && curl -o new -d @tool.py x"),
    ],
)
def test_what_a_command_only_handles_may_change(work: Path, argv: tuple[str, ...]) -> None:
    before = files(argv, work)
    (work / "tool.py").write_text("changed")
    (work / "new").write_text("new")
    assert files(argv, work) == before


def test_too_much_is_not_remembered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [work / f"f{number}" for number in range(command_files.MOST_FILES + 1)]
    for path in many:
        path.write_text("x")
    with pytest.raises(TooManyFilesError, match="too many files"):
        files(("x", *map(str, many)), work)
    monkeypatch.setattr(command_files, "MOST_BYTES", 5)
    with pytest.raises(TooManyFilesError, match="too large"):
        files(("x", "tool.py"), work)


def test_a_pattern_of_too_many_files_is_not_remembered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_files, "_MOST_ENTRIES", 5)
    with pytest.raises(TooManyFilesError, match="patterns match too many files"):
        files(("x", "*/*"), work)


def test_devices_and_fifos_are_not_opened(work: Path) -> None:
    os.mkfifo(work / "fifo")
    assert files(("x", "fifo", "/dev/zero"), work) == files(("x",), work)


@pytest.mark.parametrize(
    "word", ["\0", "a" * 256, "é" * 200, "a/" * 3000, "x\ud800", "tool.py/x", "~nobody/x"]
)
def test_a_word_that_is_no_path_is_no_file(work: Path, word: str) -> None:
    assert files(("x", word), work) == files(("x",), work)


def test_a_long_script_is_no_path(work: Path) -> None:
    script = "".join(f"echo {number}\n" for number in range(450)) + "./tool.py"
    assert files(("bash", "-c", script), work) == files(("./tool.py",), work)
