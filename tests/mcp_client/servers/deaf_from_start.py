"""Reads what comes, answers nothing; fails when it is told that `initialize` is cancelled."""

import sys

from mcp_client.servers.lines import requests

for message in requests():
    if message["method"] == "notifications/cancelled":
        sys.exit("initialize must not be cancelled")
