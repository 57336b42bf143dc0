"""Configures logging to a file, if `CODE_LOG` enables it; never logs to stdout or stderr."""

import logging
from collections.abc import Mapping
from typing import Any

from code_core.config.paths import find_home
from code_core.errors import ConfigError
from code_core.view.visible import visible, visible_line

SDK_LOGGERS = ("mcp", "client")
_LEVELS = ("debug", "info", "warning", "error")


class _VisibleFormatter(logging.Formatter):
    """Formats each record on one line with every character visible; traceback lines follow, indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - overrides logging's method
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - same
        return "\n".join(f"  {visible_line(line)}" for line in super().formatException(ei).split("\n"))


def configure_logging(environ: Mapping[str, str]) -> None:
    """Log to `log/code.log` in the home directory at the level in `CODE_LOG`; keys are never logged.

    Raises:
        ConfigError: the level is unknown, or the file cannot be written.
    """
    logger = logging.getLogger("code_core")
    for theirs in SDK_LOGGERS:
        logging.getLogger(theirs).addHandler(logging.NullHandler())  # otherwise warnings go to stderr
    level = environ.get("CODE_LOG", "").lower()
    if not level:
        logger.addHandler(logging.NullHandler())
        return
    if level not in _LEVELS:
        raise ConfigError(f"CODE_LOG is {level!r}: it must be one of {', '.join(_LEVELS)}")
    path = find_home(environ).path / "log" / "code.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the log {path} cannot be written: {error.strerror}") from error
    handler.setFormatter(_VisibleFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
