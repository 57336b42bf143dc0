"""Finds processes that a test has started indirectly, by their command and directory."""

from pathlib import Path

import psutil

NAP = ["sleep", "300"]


def naps(directory: Path) -> list[psutil.Process]:
    """Those that sleep for 300 seconds in `directory`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["cmdline"] == NAP and process.info["status"] != psutil.STATUS_ZOMBIE:
            try:
                if process.cwd() == str(directory):
                    found.append(process)
            except psutil.Error:
                continue
    return found
