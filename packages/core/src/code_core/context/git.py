"""Where the git repository is: the answer is git's own (gitrepository-layout(5), `safe.directory` of git-config(1))."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from code_core.files.checkout import Checkout, own_ids

_HEAD = re.compile(rb"ref:\s*refs/|[0-9a-fA-F]{40}")
_GITFILE = re.compile(rb"gitdir: ([^\r\n\0]+)[\r\n]*\Z")
_LARGEST_POINTER = 64 * 1024
_GIT_SECONDS = 5.0


def repository_root(directory: Path) -> Path | None:
    """The root of the work tree that `directory` is in, links resolved; None where git would find none.

    A `.git` that is not a repository does not count, nor does one of another user, unless `safe.directory` of
    the user's git settings allows it.
    """
    checkout = find_checkout(directory)
    return checkout.root if checkout is not None else None


def find_checkout(directory: Path) -> Checkout | None:
    """The repository of `repository_root`, and whose files in it count."""
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
                return None  # git stops at a file that leads nowhere
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
    """Whose repositories git takes without asking: the user's, and for root those of whoever called sudo."""
    user = os.geteuid()
    caller = os.environ.get("SUDO_UID", "")
    return frozenset({user, int(caller)} if user == 0 and caller.isdecimal() else {user})


def _owners(*paths: Path) -> frozenset[int]:
    return frozenset(path.stat().st_uid for path in paths)


def _is_safe(root: Path) -> bool:
    """Whether the user's or the system's git settings name `root` as safe; the repository's own do not count."""
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
            safe = [*safe, value] if value else []  # an empty value forgets those before
    path = str(root)
    return any(
        value in {"*", path} or (value.endswith("/*") and path.startswith(value[:-1])) for value in safe
    )


def _git_directory(path: Path, status: os.stat_result) -> Path | None:
    """The repository that the `.git` at `path` is, or names."""
    if stat.S_ISREG(status.st_mode):
        pointer = _GITFILE.match(_start_of(path))
        if pointer is None:
            return None
        path = path.parent / os.fsdecode(pointer[1])
    return path if _is_git_directory(path) else None


def _is_git_directory(path: Path) -> bool:
    common = _start_of(path / "commondir").rstrip(b"\r\n")
    shared = path / os.fsdecode(common) if common and b"\0" not in common else path
    return _has_head(path / "HEAD") and all(_is_directory(shared / name) for name in ("objects", "refs"))


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


def _start_of(path: Path) -> bytes:
    """The first 64 KiB of a regular file; nothing of anything else."""
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
            return file.read(_LARGEST_POINTER)
        except OSError:
            return b""
