"""The protected paths in writable directories, for both commands and patches.

These are the agent's settings and rules, wherever they are read from and even before they exist;
the files that the agent runs from; and the parts of git that make it run programs, or all of git
if the policy protects it.
"""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from code_core.config.paths import expand_home
from code_core.frozen import frozen
from code_core.protocol.policies import SandboxPolicy, WorkspaceWrite
from code_core.sandbox.git_directories import (
    GitDirectories,
    candidates,
    git_directories,
    program_settings,
    repository_at,
)
from code_core.sandbox.links import targets_of_links
from code_core.sandbox.own_files import own_files

SETTINGS_FOLDERS = (".code", ".codex")
SETTINGS = ("config.toml", "rules", "AGENTS.md", "prompts", "skills")
"""The names that are read from a settings directory."""
SEARCH_AGAIN_SECONDS = 30.0

MOST_DIRECTORIES = 20_000
MOST_REPOSITORIES = 50

_at_first: dict[str, tuple[GitDirectories, ...]] = {}
_known: dict[str, tuple[float, tuple[Path, ...]]] = {}
_first_seen: dict[str, GitDirectories | None] = {}


@frozen
class Protected:
    """The protected files and directories, existing or not, with symlinks resolved.

    Attributes:
        settings: the agent's settings and rules.
        own: the files that the agent runs from.
        git: the protected parts of git.
        links: symlinks that lead to something protected, not resolved.
        open_git: existing git directories that git must write to, except for what `git` protects.
    """

    settings: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    git: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    open_git: tuple[Path, ...] = ()

    @property
    def closed(self) -> tuple[Path, ...]:
        """All protected paths."""
        return (*self.settings, *self.own, *self.git)

    def reasons(self) -> dict[Path, str]:
        """Return the reason for each protected path, to show the user."""
        git = "can make git run programs" if self.open_git else "belongs to git (allow_git_writes)"
        return {
            **dict.fromkeys(self.git, git),
            **dict.fromkeys(self.own, "is part of the installed agent"),
            **dict.fromkeys(self.settings, "belongs to the agent's own settings"),
        }


def protected_by(policy: SandboxPolicy, cwd: Path, home: Path, roots: Iterable[Path] = ()) -> Protected:
    """Return what stays protected from commands and patches in `cwd`.

    Args:
        policy: says whether git may be written.
        cwd: the working directory; repositories are searched for here and in the policy's own roots.
        home: the directory of the current settings.
        roots: the directories where `policy` allows writing.
    """
    roots = list(roots)
    settings = list(_settings_paths(cwd, home, roots))
    settings += [target for folder in settings for target in _settings_behind_links(folder)]
    if not isinstance(policy, WorkspaceWrite):
        return Protected(_resolved(settings), own_files(), links=_links(settings))
    trees = [cwd, *(cwd / root for root in policy.writable_roots)]
    # If a command could choose where a tree is, its repository stays protected.
    real_trees = {Path(os.path.realpath(tree)) for tree in trees}.intersection(roots)
    repositories = [found for tree in sorted(real_trees) if (found := _repository_of(tree)) is not None]
    nearby = dict.fromkeys(one for tree in trees for one in candidates(Path(os.path.realpath(tree))))
    entries = [one.entry for one in nearby]
    git = [user_home() / ".gitconfig", user_home() / ".config/git"]
    if policy.allow_git_writes:
        all_of_them = {*nearby, *(one for tree in trees for one in repositories_at_first(tree))}
        git += [path for one in all_of_them for path in program_settings(one)]
        git += [target for path in git if path.name == "hooks" for target in targets_of_links(path)]
        git += [one.entry for one in all_of_them if one.is_elsewhere]
        opened = {path for one in repositories for path in (one.own, one.common)}
    else:
        git += [path for tree in trees for path in known_repositories(tree)]
        git += [path for one in nearby for path in (one.entry, one.own, one.common)]
        git += [Path(os.path.realpath(tree)) / ".git" for tree in trees]
        opened = set()
    return Protected(
        settings=_resolved(settings),
        own=own_files(),
        git=_resolved(git),
        links=_links([*settings, *entries, *git]),
        open_git=tuple(sorted(opened)),
    )


def known_repositories(root: Path) -> tuple[Path, ...]:
    """Return `nested_repositories`, refreshed after 30 seconds, or 20 times the search time in a large tree."""
    key, now = os.path.realpath(root), time.monotonic()
    until, found = _known.get(key, (now, ()))
    if now >= until:
        found = tuple(nested_repositories(root))
        took = time.monotonic() - now
        _known[key] = (now + max(SEARCH_AGAIN_SECONDS, 20 * took), found)
    return found


def repositories_at_first(root: Path) -> tuple[GitDirectories, ...]:
    """Return the repositories below `root` when this process first asked, excluding any that commands create later.

    Covers the first `MOST_DIRECTORIES` directories, nearest first, and at most `MOST_REPOSITORIES`: each
    command waits for this once, and for a few mounts of each.
    """
    key = os.path.realpath(root)
    if key not in _at_first:
        found = (one for folder in _trees_below(key) if (one := repository_at(folder)) is not None)
        _at_first[key] = tuple(islice(found, MOST_REPOSITORIES))
    return _at_first[key]


def _trees_below(root: str) -> Iterator[Path]:
    """The directories with a `.git`, among the first `MOST_DIRECTORIES`."""
    waiting = deque([root])
    for _ in range(MOST_DIRECTORIES):
        if not waiting:
            return
        folder = waiting.popleft()
        try:
            with os.scandir(folder) as entries:
                for entry in islice(entries, MOST_DIRECTORIES):
                    if entry.name == ".git":
                        yield Path(folder)
                    elif len(waiting) < MOST_DIRECTORIES and entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue


def nested_repositories(root: Path) -> Iterator[Path]:
    """Yield every `.git` in or below `root`, and the directories named by those that are files."""
    waiting = [os.path.realpath(root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == ".git":
                        yield Path(entry.path)
                        if (found := repository_at(Path(folder))) is not None:
                            yield from {found.own, found.common} - {found.entry}
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # a command may not write to a directory that we may not read


def _settings_paths(cwd: Path, home: Path, roots: Iterable[Path]) -> Iterator[Path]:
    yield home
    yield from (user_home() / name for name in SETTINGS_FOLDERS)
    yield from (folder / ".code" for folder in {cwd, *roots})


def user_home() -> Path:
    """Return the user's home directory, or `~` if unknown."""
    return expand_home("~")


def _settings_behind_links(folder: Path) -> Iterator[Path]:
    """The targets of links among the settings in `folder`, as with a repository for dotfiles."""
    yield from targets_of_links(folder, SETTINGS)
    yield from targets_of_links(folder / "rules")


def _repository_of(tree: Path) -> GitDirectories | None:
    """The repository of `tree`; one located elsewhere counts only if it existed when this process first looked.

    A `.git` file written by a command since then must not grant access to its target.
    """
    key = os.path.realpath(tree)
    found = git_directories(Path(key))
    first = _first_seen.setdefault(key, found)
    return found if found is None or not found.is_elsewhere or found == first else None


def _resolved(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted({Path(os.path.realpath(path)) for path in paths}))


def _links(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted({path for path in paths if os.path.islink(path)}))  # noqa: PTH114 - `Path.is_symlink` raises
