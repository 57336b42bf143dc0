"""The names of sessions: `<home>/session_index.jsonl`, append-only; the last entry wins.

Codex keeps names in the same file: `{"id", "thread_name", "updated_at"}`.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from code_core.store.errors import StoreError
from code_core.store.layout import make_private_directory, open_private

LONGEST_NAME = 200
_LARGEST = 32 * 2**20


def names_file(home: Path) -> Path:
    """Return the file of session names."""
    return home / "session_index.jsonl"


def read_names(home: Path) -> dict[str, str]:
    """Return the names of sessions by lower-case id; empty if the file cannot be read."""
    try:
        descriptor = open_private(names_file(home), os.O_RDONLY)
    except OSError:
        return {}
    with os.fdopen(descriptor, "rb") as file:
        lines = file.read(_LARGEST).split(b"\n")
    names: dict[str, str] = {}
    for line in lines:
        try:
            fields = json.loads(line)
            session_id, name = fields["id"], fields["thread_name"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(session_id, str) and isinstance(name, str):
            names[session_id.lower()] = _one_line(name)
    return {session_id: name for session_id, name in names.items() if name}


def write_name(home: Path, session_id: str, name: str) -> str:
    """Name a session and return the name as stored; an empty name removes it.

    Raises:
        StoreError: the file cannot be written.
    """
    name = _one_line(name)
    updated = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    line = json.dumps({"id": session_id, "thread_name": name, "updated_at": updated}) + "\n"
    path = names_file(home)
    try:
        make_private_directory(home)
        descriptor = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            data = ("\n" + line if torn else line).encode()
            if os.write(descriptor, data) < len(data):
                raise StoreError(f"cannot name the session: {path}: the disk is full")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot name the session: {path}: {error.strerror}") from error
    return name


def _one_line(name: str) -> str:
    return " ".join(name.encode("utf-8", "replace").decode().split())[:LONGEST_NAME]
