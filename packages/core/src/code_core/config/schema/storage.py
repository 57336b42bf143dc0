"""Settings for what is kept on disk, and for how long."""

from dataclasses import field
from typing import Literal

from pydantic import Field

from code_core.config.schema.base import SettingsTable
from code_core.frozen import frozen


class MessageHistoryTable(SettingsTable):
    """`[history]`: whether your input is kept across sessions, and the size limit of its file."""

    persistence: Literal["save-all", "none"] = Field(
        "save-all", description="save what you type in `<home>/history.jsonl`"
    )
    max_bytes: int = Field(8 * 2**20, ge=4096, description="the maximum size of that file, in bytes")


class KeepTable(SettingsTable):
    """`[outputs]`: when data left by sessions is deleted; 0 means never."""

    keep_days: float = Field(30, ge=0, description="delete after this many days; 0 keeps everything")
    keep_megabytes: float = Field(
        1024, ge=0, description="delete the oldest above this total size; 0 keeps everything"
    )


class CheckpointsTable(KeepTable):
    """`[checkpoints]`: the files that undo restores."""

    enabled: bool = Field(True, description="save file contents, so that undo works")
    keep_megabytes: float = Field(
        2048, ge=0, description="delete the oldest above this total size; 0 keeps everything"
    )


class SessionsTable(KeepTable):
    """`[sessions]`: the records from which sessions are resumed."""

    save: bool = Field(True, description="record sessions; `--ephemeral` turns this off for one session")
    keep_days: float = Field(0, ge=0, description="delete after this many days; 0 keeps everything")
    keep_megabytes: float = Field(
        0, ge=0, description="delete the oldest above this total size; 0 keeps everything"
    )


@frozen
class Storage:
    """What is kept of sessions, and for how long."""

    sessions: SessionsTable = field(default_factory=SessionsTable)
    checkpoints: CheckpointsTable = field(default_factory=CheckpointsTable)
    outputs: KeepTable = field(default_factory=KeepTable)
    typed: MessageHistoryTable = field(default_factory=MessageHistoryTable)
