"""Converts the settings about what to keep to the form that the store uses."""

from typing import TYPE_CHECKING

from code_core.config.schema.storage import KeepTable, Storage

if TYPE_CHECKING:
    from code_core.store.cleaning import CleaningSettings, Limit


def cleaning_settings(storage: Storage) -> "CleaningSettings":
    """Return the settings in the form that the store uses."""
    from code_core.store.cleaning import CleaningSettings

    return CleaningSettings(
        outputs=_limit(storage.outputs),
        checkpoints=_limit(storage.checkpoints),
        sessions=_limit(storage.sessions),
    )


def _limit(table: KeepTable) -> "Limit":
    from code_core.store.cleaning import Limit

    return Limit(table.keep_days or None, table.keep_megabytes or None)
