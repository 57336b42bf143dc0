"""Finds files whose content is stored in git, so that they need no copy, and reads those contents.

Git is only queried: it writes neither the index nor objects, runs nothing that the repository's settings
name, and fetches nothing.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping

from code_core.frozen import frozen

_SECONDS = 30.0
_MOST_AT_ONCE = 32 * 2**20
_UNFILTERED = ":(attr:!filter !ident !working-tree-encoding)"
_SETTINGS = {
    "core.fsmonitor": "false",  # the name of a program
    "core.checkStat": "default",
    "core.trustctime": "true",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@frozen
class Blob:
    """A git object with the content of a file.

    Attributes:
        repository: a directory in the work tree.
        id: the object's name.
        size: in bytes.
    """

    repository: str
    id: str
    size: int


def clean_files(directory: str) -> dict[str, Blob]:
    """Return, by path, the blob of each file below `directory` that matches git's index; empty without a repository.

    Files that git converts on commit (filters, encodings, `$Id$`) are omitted. Converted line endings show
    in the size: callers must check that it equals the size of the file.
    """
    listed = _git(directory, "ls-files", "-z", "-v", "--stage", "--", _UNFILTERED)
    if not listed:
        return {}
    changed = _git(
        directory,
        "diff-files",
        "-z",
        "--name-only",
        "--relative",
        "--ignore-submodules=all",
        "--",
        _UNFILTERED,
    )
    if changed is None:
        return {}
    names = dict(_regular(listed))
    for name in changed.split(b"\0"):
        names.pop(name, None)
    sizes = _git(
        directory,
        "cat-file",
        "--buffer",
        "--batch-check=%(objectsize)",
        given=b"\n".join(names.values()) + b"\n",
    )
    if not names or sizes is None:
        return {}
    above = f"{directory.rstrip('/')}/"
    return {
        above + os.fsdecode(name): Blob(directory, object_id.decode("ascii"), int(size))
        for (name, object_id), size in zip(names.items(), sizes.splitlines(), strict=False)
        if size.isdigit()
    }


def _regular(listed: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and the object of each file, except those whose changes git is set to ignore."""
    for line in listed.split(b"\0"):
        fields, _, name = line.partition(b"\t")
        match fields.split(b" "):
            case [b"H", b"100644" | b"100755", object_id, b"0"]:
                yield name, object_id


def read(blobs: Iterable[Blob]) -> Iterator[tuple[Blob, bytes]]:
    """Yield the contents of `blobs` in any order, without those missing from their repositories."""
    of: dict[str, list[Blob]] = {}
    for blob in blobs:
        of.setdefault(blob.repository, []).append(blob)
    for repository, wanted in of.items():
        for together in _portions(wanted):
            given = "".join(f"{blob.id}\n" for blob in together)
            yield from _contents(
                together, _git(repository, "cat-file", "--batch", "--buffer", given=given.encode())
            )


def _portions(blobs: Iterable[Blob]) -> Iterator[list[Blob]]:
    portion: list[Blob] = []
    size = 0
    for blob in blobs:
        portion.append(blob)
        size += blob.size
        if size > _MOST_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _contents(blobs: Iterable[Blob], output: bytes | None) -> Iterator[tuple[Blob, bytes]]:
    """The output of git-cat-file(1) for each of `blobs`, where it matches the object's name."""
    if output is None:
        return
    position = 0
    for blob in blobs:
        end = output.find(b"\n", position)
        fields = output[position:end].split(b" ")
        position = end + 1
        if end < 0 or len(fields) != 3 or not fields[2].isdigit():
            continue  # missing
        data = output[position : position + int(fields[2])]
        position += int(fields[2]) + 1
        hasher = hashlib.sha256 if len(blob.id) == hashlib.sha256().digest_size * 2 else hashlib.sha1
        if hasher(b"blob %d\0" % len(data) + data).hexdigest() == blob.id:
            yield blob, data


def _git(directory: str, *arguments: str, given: bytes = b"") -> bytes | None:
    """The output of a git command, or None if it fails or git is not installed."""
    program = shutil.which("git", path=os.defpath)
    if program is None:
        return None
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    try:
        done = subprocess.run(
            [program, "--no-optional-locks", "--no-replace-objects", *settings, *arguments],
            cwd=directory,
            env=_environment(os.environ),
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment for git, without git's own variables, which could name another repository."""
    wanted = {"HOME", "PATH", "XDG_CONFIG_HOME", "SUDO_UID", "SYSTEMROOT"}
    return {name: value for name, value in ours.items() if name in wanted} | _ENVIRONMENT
