"""What stays closed below a writable directory: one list, for commands and for patches.

The agent's settings and rules, in every place where they are read from and also before they
exist; the files that the agent runs from; and of git what makes it run programs, or all of
it where the policy closes it.
"""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from code_core.protocol.policies import SandboxPolicy, WorkspaceWrite
from code_core.sandbox.git_directories import GitDirectories, git_directories, program_settings
from code_core.sandbox.own_files import own_files

SETTINGS_FOLDERS = (".code", ".codex")
SETTINGS = ("config.toml", "rules", "AGENTS.md", "prompts", "skills")
"""What is read from such a folder."""
SEARCH_AGAIN_SECONDS = 30.0

_known: dict[str, tuple[float, tuple[Path, ...]]] = {}
_first_seen: dict[str, GitDirectories | None] = {}


@dataclass(frozen=True, slots=True)
class Protected:
    """The closed files and directories, whether they exist or not, with symlinks resolved.

    Attributes:
        settings: the agent's settings and rules.
        own: the files that the agent runs from.
        git: what is closed of git.
        links: symlinks that lead to something closed; as they are, not resolved.
        open_git: existing git directories that git has to write to, for all that `git` closes in them.
    """

    settings: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    git: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    open_git: tuple[Path, ...] = ()

    @property
    def closed(self) -> tuple[Path, ...]:
        """All that is closed."""
        return (*self.settings, *self.own, *self.git)

    def reasons(self) -> dict[Path, str]:
        """Every closed path and what to tell a user who is asked about it."""
        git = "can make git run programs" if self.open_git else "belongs to git (allow_git_writes)"
        return {
            **dict.fromkeys(self.git, git),
            **dict.fromkeys(self.own, "is part of the installed agent"),
            **dict.fromkeys(self.settings, "belongs to the agent's own settings"),
        }


def protected_by(policy: SandboxPolicy, cwd: Path, home: Path, roots: Iterable[Path] = ()) -> Protected:
    """What stays closed for commands and patches in `cwd`.

    Args:
        policy: says whether git may be written.
        cwd: the working directory; with the policy's own roots, where repositories are looked for.
        home: the directory of settings in use.
        roots: the directories that `policy` lets files be written below.
    """
    settings = list(_settings_paths(cwd, home, roots))
    if not isinstance(policy, WorkspaceWrite):
        return Protected(_resolved(settings), own_files(), links=_links(settings))
    trees = [cwd, *(cwd / root for root in policy.writable_roots)]
    repositories = [found for tree in trees if (found := _repository_of(tree)) is not None]
    entries = [found.entry for found in repositories]
    if policy.allow_git_writes:
        git = [path for one in repositories for path in program_settings(one)]
        git += [entry for entry in entries if not entry.is_dir()]
        opened = {path for one in repositories for path in (one.own, one.common)}
    else:
        git = [path for tree in trees for path in known_repositories(tree)]
        git += [path for one in repositories for path in (one.entry, one.own, one.common)]
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
    """`nested_repositories`, searched for again after 30 seconds, or after 20 times what that takes in a large tree."""
    key, now = os.path.realpath(root), time.monotonic()
    until, found = _known.get(key, (now, ()))
    if now >= until:
        found = tuple(nested_repositories(root))
        took = time.monotonic() - now
        _known[key] = (now + max(SEARCH_AGAIN_SECONDS, 20 * took), found)
    return found


def nested_repositories(root: Path) -> Iterator[Path]:
    """Every `.git` in `root` and below it, and the directories that those which are files name."""
    waiting = [os.path.realpath(root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == ".git":
                        yield Path(entry.path)
                        if (found := git_directories(Path(folder))) is not None:
                            yield from {found.own, found.common}
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # what we may not look into, a command may not write to either


def _settings_paths(cwd: Path, home: Path, roots: Iterable[Path]) -> Iterator[Path]:
    yield home
    user_home = Path(os.path.expanduser("~"))  # noqa: PTH111 - `Path.expanduser` raises where no home is known
    yield from (user_home / name for name in SETTINGS_FOLDERS)
    yield from (folder / ".code" for folder in {cwd, *roots})


def _repository_of(tree: Path) -> GitDirectories | None:
    """The repository of `tree`; one that is elsewhere only if it was there when this process first looked.

    A `.git` file that a command has written since then must not open what it names.
    """
    key = os.path.realpath(tree)
    found = git_directories(Path(key))
    first = _first_seen.setdefault(key, found)
    return found if found is None or not found.is_elsewhere or found == first else None


def _resolved(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted({Path(os.path.realpath(path)) for path in paths}))


def _links(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted({path for path in paths if path.is_symlink()}))
