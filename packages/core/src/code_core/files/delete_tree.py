"""Deletes a directory with all its contents, however deep and whatever their permissions."""

import os
import stat
from contextlib import suppress
from secrets import token_hex


def delete_tree(name: str, directory: int) -> None:
    """Delete `name` in the open directory `directory`; what cannot be deleted stays.

    No symlink is followed. Each directory below is first moved up into `directory`, under a name that cannot
    be guessed: so the depth of a tree, which its author chooses, needs neither a stack nor long paths.
    """
    waiting = [name]
    while waiting:
        current = waiting.pop()
        with suppress(OSError):
            _open_up(current, directory)
            waiting += _emptied(current, directory)
            os.rmdir(current, dir_fd=directory)


def _emptied(name: str, directory: int) -> list[str]:
    """Empty a directory; return the names of its subdirectories, which are in `directory` now."""
    moved: list[str] = []
    here = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        for below in os.listdir(here):  # noqa: PTH208 - of a descriptor
            with suppress(OSError):
                if _is_directory(below, here):
                    _open_up(below, here)  # only those who can write to a directory can move it elsewhere
                    moved.append(token_hex(8))
                    os.rename(below, moved[-1], src_dir_fd=here, dst_dir_fd=directory)
                else:
                    os.unlink(below, dir_fd=here)
    finally:
        os.close(here)
    return moved


def _open_up(name: str, directory: int) -> None:
    if _is_directory(name, directory):
        os.chmod(name, 0o700, dir_fd=directory)


def _is_directory(name: str, directory: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
