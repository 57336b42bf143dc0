"""Resolves the programs that a command really runs, by looking up each name on PATH as the command will.

A name counts as a system program only if PATH leads to it there. A name that leads to a directory
where commands may write is judged, and shown, as the path of the program.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from code_core.frozen import frozen
from code_core.protocol.policies import SandboxPolicy
from code_core.safety.known_safe import READERS
from code_core.safety.normal_form import program
from code_core.safety.shell_words import SHELLS, SYSTEM_DIRECTORIES, Words, plain_commands, script_of
from code_core.sandbox.writable import writable_roots

# A POSIX shell runs these itself.
_BUILTINS = frozenset({"cd", "echo", "false", "pwd", "true"})
# Variables that make every program, or every shell, run code from a file.
_LOADED_FILES = (
    *("BASH_ENV", "ENV", "ZDOTDIR", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "GCONV_PATH"),
    *("DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH"),
)
_RG_SETTINGS = "RIPGREP_CONFIG_PATH"
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - compared with paths, never written to


@frozen
class ResolvedCommand:
    """A command with its programs looked up.

    Attributes:
        argv: the command as it is judged and shown.
        run: the command to start: the program that was judged, even if another one is planted on PATH in the meantime.
        program: the file to start as `run[0]`; None if it is to be looked up again.
        parts: the commands that it certainly runs; None if unknown.
    """

    argv: Words
    run: Words
    parts: tuple[Words, ...] | None
    program: str | None = None


@frozen
class _Program:
    """The target of a bare name: its path, and whether commands may write anywhere along the lookup."""

    path: str
    system: bool
    shadowable: bool


class ProgramLookup:
    """Looks up programs for commands that run in `cwd` with `environment` under `policy`."""

    def __init__(
        self, policy: SandboxPolicy, cwd: Path, workspace: Path, environment: Mapping[str, str]
    ) -> None:
        temporary = filter(None, (environment.get("TMPDIR"), *_TEMPORARY))
        roots = {*map(str, (*writable_roots(policy, workspace, environment), workspace, cwd, *temporary))}
        self._reach = tuple(f"{os.path.realpath(root).rstrip('/')}/" for root in roots)
        self._cwd = cwd.absolute()
        self._environment = environment
        self._known: dict[str, bool] = {}  # whether commands may write there

    def resolve(self, argv: Sequence[str]) -> ResolvedCommand:
        """Return `argv` with its program, and the programs of a plain script, looked up."""
        found = self._find(argv[0]) if "/" not in argv[0] else None
        known = found is not None or "/" in argv[0]
        name = argv[0] if found is None or found.system else found.path
        run = argv[0] if found is None or not found.shadowable else found.path
        judged, started = (name, *argv[1:]), (run, *argv[1:])
        parts = self._parts(judged) if known else None
        return ResolvedCommand(judged, started, parts, None if found is None else found.path)

    def _parts(self, argv: Words) -> tuple[Words, ...] | None:
        parts = plain_commands(argv)
        if parts is None or self._loads_files():
            return None
        if script_of(argv) is None:
            return tuple(map(self._with_settings, parts))
        if self._startup_files_writable(argv) or any(
            f"BASH_FUNC_{words[0]}%%" in self._environment for words in parts
        ):
            return None
        moves = any(words[0] == "cd" for words in parts)
        looked_up = [self._looked_up(words, moves=moves) for words in parts]
        return tuple(words for words in looked_up if words is not None) if None not in looked_up else None

    def _looked_up(self, words: Words, *, moves: bool) -> Words | None:
        if words[0] in _BUILTINS:
            return words
        if "/" in words[0]:
            return words
        found = self._find(words[0])
        if found is None or (moves and found.shadowable):
            return None  # `cd` changes the meaning of relative PATH entries
        return self._with_settings(words if found.system else (found.path, *words[1:]))

    def _with_settings(self, words: Words) -> Words:
        """Judge `rg` by its path if commands can write a settings file that names programs for it to run."""
        settings = self._environment.get(_RG_SETTINGS)
        return ("./rg", *words[1:]) if words[0] == "rg" and settings and self._writable(settings) else words

    def _find(self, name: str) -> _Program | None:
        shadowable = False
        for entry, folder in self._path:
            if entry.startswith("~"):
                return None  # only bash expands it
            writable = not entry.startswith("/") or self._writable(folder)
            path = os.path.join(folder, name)  # noqa: PTH118 - `Path` is slow
            if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 - `Path` refuses long names
                of_system = folder in SYSTEM_DIRECTORIES
                system = not (writable or self._writable(path)) and (
                    of_system or name not in SHELLS | READERS
                )
                return _Program(path, system, shadowable or writable or not of_system)
            shadowable = shadowable or writable
        return None

    @cached_property
    def _path(self) -> list[tuple[str, str]]:
        """The entries of PATH, and the directories that they mean."""
        entries = self._environment.get("PATH", os.defpath).split(os.pathsep)
        return [(entry, str(self._cwd / entry)) for entry in entries]

    def _writable(self, path: str) -> bool:
        """Whether a command may write at `path`: it is below a writable root, and the system permits it."""
        if path not in self._known:
            self._known[path] = self._is_writable(os.path.realpath(self._cwd / path))
        return self._known[path]

    def _is_writable(self, real: str) -> bool:
        if not f"{real}/".startswith(self._reach):
            return False
        while not os.path.lexists(real):
            real = os.path.dirname(real)  # noqa: PTH120 - `Path` is slow
        try:
            owned = os.stat(real).st_uid == os.geteuid()  # noqa: PTH116 - `Path` is slow
        except OSError:
            return True
        return owned or os.access(real, os.W_OK) or os.access(os.path.dirname(real), os.W_OK)  # noqa: PTH120 - `Path` is slow

    def _loads_files(self) -> bool:
        return any(
            not path.startswith("/") or self._writable(path)
            for name in _LOADED_FILES
            if (value := self._environment.get(name))
            for path in re.split("[ :]", value)
        )

    def _startup_files_writable(self, argv: Words) -> bool:
        """Whether commands may write the files that the shell reads before the script."""
        if "l" not in argv[1] and program(argv) != "zsh":
            return False
        home = self._environment.get("HOME")
        return not home or self._writable(home)
