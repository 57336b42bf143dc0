"""Finds Git repositories as Git does (gitrepository-layout(5), `safe.directory` in git-config(1))."""

import os
import re
import stat
import subprocess
from pathlib import Path

from code_core.files.checkout import Checkout, own_ids
from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern

_HEAD = lazy_pattern(rb"ref:\s*refs/|[0-9a-fA-F]{40}")
_BRANCH = lazy_pattern(rb"ref:\s*(refs/heads/([^\r\n\0]{1,1024}))\s*\Z")
_COMMIT = lazy_pattern(rb"([0-9a-f]{40}|[0-9a-f]{64})\s*\Z")
_GITFILE = lazy_pattern(rb"gitdir: ([^\r\n\0]+)[\r\n]*\Z")
_LARGEST_POINTER = 64 * 1024
_LARGEST_PACKED_REFS = 4 * 2**20
_GIT_SECONDS = 5.0


def repository_root(directory: Path) -> Path | None:
    """Return the root of the work tree that contains `directory`, links resolved, or None if Git would not find one.

    A `.git` that is not a repository is ignored, and so is one of another user, unless `safe.directory` in
    the user's Git settings allows it.
    """
    checkout = find_checkout(directory)
    return checkout.root if checkout is not None else None


@frozen
class Head:
    """What is checked out; unknown values are empty."""

    branch: str = ""
    commit: str = ""


def head_of(directory: Path) -> Head:
    """Return what is checked out in the repository of `directory`; reads its files, because starting git is slow."""
    root = repository_root(directory)
    if root is None:
        return Head()
    try:
        folder = _git_directory(root / ".git", (root / ".git").lstat())
    except OSError:
        return Head()
    if folder is None:
        return Head()
    head = _start_of(folder / "HEAD")
    if (branch := _BRANCH.match(head)) is None:
        return Head(commit=_commit(head))
    name = os.fsdecode(branch[2]).strip()
    if name == ".invalid":  # a repository with reftables
        return Head()
    return Head(name, _commit_of(_common(folder), branch[1].strip()))


def _commit_of(folder: Path, reference: bytes) -> str:
    if b".." in reference:
        return ""
    if commit := _commit(_start_of(folder / os.fsdecode(reference))):
        return commit
    packed = _start_of(folder / "packed-refs", _LARGEST_PACKED_REFS)
    line = re.search(rb"^([0-9a-f]{40,64}) " + re.escape(reference) + rb"$", packed, re.MULTILINE)
    return "" if line is None else line[1].decode()


def _commit(text: bytes) -> str:
    commit = _COMMIT.match(text)
    return "" if commit is None else commit[1].decode()


def find_checkout(directory: Path) -> Checkout | None:
    """Return the repository of `repository_root`, and whose files in it are trusted."""
    start = Path(os.path.realpath(directory))
    try:
        device = start.stat().st_dev
    except OSError:
        return None
    for root in (start, *start.parents):
        try:
            if root.stat().st_dev != device:
                return None  # git does not cross file systems
            status = (root / ".git").lstat()
        except OSError:
            continue
        git_directory = _git_directory(root / ".git", status)
        if git_directory is None:
            if stat.S_ISREG(status.st_mode):
                return None  # git stops at a dangling file
            continue
        return _trusted(root, git_directory)
    return None


def _trusted(root: Path, git_directory: Path) -> Checkout | None:
    owners = _owners(root, root / ".git", git_directory)
    users = _git_users()
    if owners <= users:
        return Checkout(root, own_ids() | users)
    if _is_safe(root):
        return Checkout(root, own_ids() | owners)
    return None


def _git_users() -> frozenset[int]:
    """The owners whose repositories git trusts: the user and, for root, the user who called sudo."""
    user = os.geteuid()
    caller = os.environ.get("SUDO_UID", "")
    return frozenset({user, int(caller)} if user == 0 and caller.isdecimal() else {user})


def _owners(*paths: Path) -> frozenset[int]:
    return frozenset(path.stat().st_uid for path in paths)


def _is_safe(root: Path) -> bool:
    """Whether the user's or the system's Git settings list `root` as safe; the repository's own do not count."""
    import shutil

    git = shutil.which("git", path=os.defpath)
    if git is None:
        return False
    safe: list[str] = []
    for scope in ("--system", "--global"):
        try:
            asked = subprocess.run(
                [git, "config", scope, "--null", "--get-all", "safe.directory"],
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_GIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        for value in os.fsdecode(asked.stdout).split("\0")[:-1]:
            safe = [*safe, value] if value else []  # an empty value clears the list
    path = str(root)
    return any(
        value in {"*", path} or (value.endswith("/*") and path.startswith(value[:-1])) for value in safe
    )


def _git_directory(path: Path, status: os.stat_result) -> Path | None:
    """The repository that the `.git` at `path` is or refers to."""
    if stat.S_ISREG(status.st_mode):
        pointer = _GITFILE.match(_start_of(path))
        if pointer is None:
            return None
        path = path.parent / os.fsdecode(pointer[1])
    return path if _is_git_directory(path) else None


def _is_git_directory(path: Path) -> bool:
    shared = _common(path)
    return _has_head(path / "HEAD") and all(_is_directory(shared / name) for name in ("objects", "refs"))


def _common(path: Path) -> Path:
    """The directory that the work trees of the repository at `path` share."""
    common = _start_of(path / "commondir").rstrip(b"\r\n")
    return path / os.fsdecode(common) if common and b"\0" not in common else path


def _has_head(head: Path) -> bool:
    try:
        if head.is_symlink():
            return str(head.readlink()).startswith("refs/")
    except OSError:
        return False
    return _HEAD.match(_start_of(head)) is not None


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _start_of(path: Path, most: int = _LARGEST_POINTER) -> bytes:
    """The first `most` bytes of a regular file; empty for anything else."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        try:
            return file.read(most)
        except OSError:
            return b""
