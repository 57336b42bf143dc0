import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from code_core.safety.grants import FileIdentity
from code_core.safety.statements import statements
from code_core.tools import command_files
from code_core.tools.command_files import TooManyFilesError, files_of
from core.sandbox.test_git_directories import git

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
            "cat tool.py | xargs make",
            "cat tool.py | parallel make",
            "cat tool.py | source /dev/stdin",
            "cat tool.py | . /dev/stdin",
            "bash t*[o]l.?y",
            'eval "$(cat tool.py)"',
            "BASH_ENV=tool.py bash x",
            "mv tool.py y; ./y",
            "curl -K tool.py x",
            "curl --config=tool.py x",
        )
    ),
    (("bash", "-c", "cd $PWD/sub && ./inner.sh"), "sub/inner.sh"),
    (("bash", "-c", "bash */*.sh"), "sub/inner.sh"),
    (("bash", "-c", "bash sub/*.sh"), "sub/inner.sh"),
    (("bash", "-c", "bash s*/inner.sh"), "sub/inner.sh"),
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
def test_a_change_to_a_file_that_a_command_runs_is_detected(
    work: Path, argv: tuple[str, ...], name: str
) -> None:
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
    assert files(argv, work) != before  # the same text, in another file


def _copy(path: Path) -> Path:
    copy = path.with_suffix(".copy")
    copy.write_text(path.read_text())
    return copy


def test_a_path_is_resolved_against_the_directory(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = work / "home"
    home.mkdir()
    (home / "a~b.sh").write_text("x")
    monkeypatch.setenv("HOME", str(home))
    for script, path in (
        ("bash $PWD/inner.sh", work / "sub/inner.sh"),
        ("bash $(git rev-parse --show-toplevel)/tool.py", work / "tool.py"),
        (f"bash {work}/t*.py", work / "tool.py"),
        ("bash ~/a~b.sh", home / "a~b.sh"),
        ("bash $HOME/a~b.sh", home / "a~b.sh"),
    ):
        assert path in named(("bash", "-c", script), work / "sub"), script


def named(argv: tuple[str, ...], cwd: Path) -> set[Path]:
    return {identity.path for identity in files_of(statements(argv), argv, cwd)}


def test_the_words_of_a_command_and_its_program_are_examined(work: Path) -> None:
    (work / "bin").mkdir()
    (work / "bin/tool").write_text("x")
    known = {identity.path for identity in files_of((), ("tool", "tool.py"), work, "bin/tool")}
    assert known == {work / "bin/tool", work / "tool.py", work}


def test_a_file_is_recognised_by_its_path_and_contents(work: Path) -> None:
    tool, folder = (work / "tool.py").stat(), work.stat()
    checksum = hashlib.sha256(b"tool.py").hexdigest()
    assert files(("x", "tool.py"), work) == {
        FileIdentity(work / "tool.py", tool.st_dev, tool.st_ino, checksum),
        FileIdentity(work, folder.st_dev, folder.st_ino, ""),
    }


@pytest.mark.parametrize("what", ["link", "fifo"])
def test_a_file_that_is_replaced_at_the_last_moment_is_not_followed(
    work: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    real, tool = os.open, work / "tool.py"

    def swap(path: str, flags: int) -> int:
        if path == str(tool):
            tool.unlink()
            tool.symlink_to("other.py") if what == "link" else os.mkfifo(tool)
        return real(path, flags)

    monkeypatch.setattr(os, "open", swap)
    if what == "fifo":
        assert work / "tool.py" in named(("x", "tool.py"), work)  # does not wait for a writer
        return
    with pytest.raises(TooManyFilesError, match="cannot be read: Too many levels of symbolic links"):
        files(("x", "tool.py"), work)


def test_system_programs_are_not_read(work: Path) -> None:
    assert named(("/bin/sh", "/usr/bin/env", "tool.py"), work) == {work / "tool.py", work}


def test_the_same_files_in_another_directory_are_different(work: Path) -> None:
    before = files(("make", "-C", "sub"), work)
    (work / "sub").rename(work / "aside")
    (work / "sub").mkdir()
    for path in (work / "aside").iterdir():
        path.rename(work / "sub" / path.name)
    assert files(("make", "-C", "sub"), work) != before


def test_outside_a_repository_git_runs_nothing_in_the_directory(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("x")
    assert named(("git", "push"), tmp_path) == {tmp_path}


def test_sample_hooks_are_ignored_and_hooks_are_optional(work: Path) -> None:
    (work / ".git/hooks/update.sample").write_text("x")
    assert named(("git", "push"), work) == {
        work / ".git/config",
        work / ".git/hooks/pre-push",
        work,
    }
    shutil.rmtree(work / ".git/hooks")
    assert named(("git", "push"), work) == {work / ".git/config", work}


def test_a_linked_worktree_and_a_submodule_use_the_settings_of_their_repositories(tmp_path: Path) -> None:
    for name in ("main", "part"):
        git(tmp_path, "init", "-q", name)
        git(tmp_path / name, "commit", "-q", "--allow-empty", "-m", "one")
    main, tree = tmp_path / "main", tmp_path / "tree"
    git(main, "worktree", "add", "-q", "../tree")
    git(main, "config", "extensions.worktreeConfig", "true")
    git(tree, "config", "--worktree", "core.pager", "x")
    git(main, "submodule", "add", "-q", str(tmp_path / "part"), "libs/part")
    for folder in (main / ".git", main / ".git/modules/libs/part"):
        (folder / "hooks").mkdir(exist_ok=True)
        (folder / "hooks/pre-push").write_text("x")

    own = main / ".git/worktrees/tree"
    shared = {main / ".git/config", main / ".git/hooks/pre-push"}
    assert named(("git", "push"), tree) == {own / "config.worktree", *shared, tree}
    module = main / ".git/modules/libs/part"
    (main / "libs/part/.git").write_text("gitdir: ../../.git/modules/libs/part\n")
    assert named(("git", "push"), main / "libs/part") == {
        module / "config",
        module / "hooks/pre-push",
        main / "libs/part",
    }


def test_a_link_that_points_elsewhere_is_detected(work: Path) -> None:
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
def test_data_files_of_a_command_may_change(work: Path, argv: tuple[str, ...]) -> None:
    before = files(argv, work)
    (work / "tool.py").write_text("changed")
    (work / "new").write_text("new")
    assert files(argv, work) == before


def test_too_many_files_are_not_remembered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [work / f"f{number}" for number in range(command_files.MOST_FILES + 1)]
    for path in many:
        path.write_text("x")
    most = ("x", *map(str, many[:-2]))  # and the directory
    assert len(named((*most, "no-such-file"), work)) == command_files.MOST_FILES
    with pytest.raises(TooManyFilesError, match="too many files"):
        files((*most, str(many[-1])), work)
    monkeypatch.setattr(command_files, "MOST_BYTES", len("tool.py") + len("other.py"))
    assert named(("x", "tool.py", "other.py"), work) == {work / "tool.py", work / "other.py", work}
    assert len(named(("x", "sub", "tool.py", "other.py"), work)) == 4
    with pytest.raises(TooManyFilesError, match="too large"):
        files(("x", "tool.py", "other.py", str(many[0])), work)


def test_too_many_directories_are_not_remembered(work: Path) -> None:
    folders = [f"d{number}" for number in range(16)]
    for name in folders:
        (work / name).mkdir()
    assert len(named(("x", *folders[:-1]), work)) == 16
    with pytest.raises(TooManyFilesError, match="too many directories"):
        files(("x", *folders), work)


def test_overlong_paths_are_not_directories(work: Path) -> None:
    words = [f"{number}/{'a/' * 2045}" for number in range(20)]
    assert named(("x", *words), work) == {work}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_an_unreadable_file_is_not_remembered(work: Path) -> None:
    with pytest.raises(TooManyFilesError, match=r"/mem cannot be read: Input/output error"):
        files(("x", "/proc/self/mem"), work)


def test_a_command_on_a_failing_disk_is_not_remembered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))  # as raised by `read`: without a name

    monkeypatch.setattr(command_files, "_paths", fail)
    with pytest.raises(TooManyFilesError, match=rf"^{work} cannot be read: Input/output error"):
        files(("git", "push"), work)


def test_an_inaccessible_file_is_not_remembered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    def deny(path: Path, **options: bool) -> os.stat_result:
        if path.name == "tool.py":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", deny)
    with pytest.raises(TooManyFilesError, match=r"/tool\.py cannot be read: Permission denied"):
        files(("x", "tool.py"), work)


def test_a_pattern_of_too_many_files_is_not_remembered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_files, "_MOST_ENTRIES", len(list(work.iterdir())))
    assert named(("x", "t*"), work) == {work / "tool.py", work}
    (work / "one-more").write_text("x")
    with pytest.raises(TooManyFilesError, match="patterns match too many files"):
        files(("x", "t*"), work)


def test_devices_and_fifos_are_not_opened(work: Path) -> None:
    os.mkfifo(work / "fifo")
    assert files(("x", "fifo", "/dev/zero"), work) == files(("x",), work)


@pytest.mark.parametrize(
    "word", ["", "\0", "a" * 256, "é" * 200, "a/" * 3000, "x\ud800", "tool.py/x", "~nobody/x"]
)
def test_words_that_are_not_paths_are_ignored(work: Path, word: str) -> None:
    assert files(("x", word), work) == files(("x",), work)


def test_the_longest_possible_name_is_a_file(work: Path) -> None:
    (work / ("a" * 255)).write_text("x")
    assert work / ("a" * 255) in named(("x", "a" * 255), work)


def test_a_long_script_is_not_a_path(work: Path) -> None:
    script = "".join(f"echo {number}\n" for number in range(450)) + "./tool.py"
    assert files(("bash", "-c", script), work) == files(("./tool.py",), work)
