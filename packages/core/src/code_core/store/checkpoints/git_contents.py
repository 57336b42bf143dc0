"""Which files git has the content of, so that they need no copy; and those contents.

Git is asked, and writes nothing: neither the index nor an object. Nothing that the repository's settings
name is run, and nothing is fetched.
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
    """A content that a repository has, and that a file had.

    Attributes:
        repository: a directory in the work tree.
        id: the name of the object.
        size: its bytes.
    """

    repository: str
    id: str
    size: int


def clean_files(directory: str) -> dict[str, Blob]:
    """By path, the content of each file below `directory` that is as git's index has it; none without a repository.

    What git would convert on the way into the repository (filters, encodings, `$Id$`) is not among them. The
    size tells about ends of lines: a caller takes only what has the size of the file.
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
    """The name and the object of each file; not those whose changes git was told to overlook."""
    for line in listed.split(b"\0"):
        fields, _, name = line.partition(b"\t")
        match fields.split(b" "):
            case [b"H", b"100644" | b"100755", object_id, b"0"]:
                yield name, object_id


def read(blobs: Iterable[Blob]) -> Iterator[tuple[Blob, bytes]]:
    """The contents of `blobs`, in any order; without those that their repositories do not have any more."""
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
    """What git-cat-file(1) wrote for each of `blobs`, where that is what its name promises."""
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
    """What git prints; None if it fails, or there is no git."""
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
    """What git needs of our environment: its own variables could name another repository."""
    wanted = {"HOME", "PATH", "XDG_CONFIG_HOME", "SUDO_UID", "SYSTEMROOT"}
    return {name: value for name, value in ours.items() if name in wanted} | _ENVIRONMENT
