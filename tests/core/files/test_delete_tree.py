"""Untrusted trees are deleted, but not what their links lead to."""

import os
from pathlib import Path

import pytest

from code_core.files.delete_tree import delete_tree


def make_levels(folder: Path, levels: int) -> None:
    """Nested directories: deeper than Python can recurse, and longer than a path may be."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("level", dir_fd=here)
        below = os.open("level", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def delete(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        delete_tree(path.name, directory)
    finally:
        os.close(directory)


def test_a_tree_deeper_than_any_path_is_deleted(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    make_levels(tree, 3000)
    delete(tree)
    assert list(tmp_path.iterdir()) == []


def test_unreadable_directories_are_deleted_and_links_are_not_followed(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / "closed/below").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_text("x")
    (tree / "closed/link").symlink_to(outside)
    os.mkfifo(tree / "closed/fifo")
    (tree / "closed/below").chmod(0)
    (tree / "closed").chmod(0)
    delete(tree)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert [path.name for path in outside.iterdir()] == ["kept"]


@pytest.mark.parametrize("kind", ["nothing", "a link"])
def test_a_file_or_link_in_place_of_the_directory_stays(tmp_path: Path, kind: str) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    (outside / "kept").mkdir(parents=True)
    if kind == "a link":
        tree.symlink_to(outside)
    delete(tree)
    assert (outside / "kept").is_dir()
