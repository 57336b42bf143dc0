"""Reads everything and answers nothing; fails if `initialize` is cancelled."""

import sys

from mcp_client.servers.lines import requests

for message in requests():
    if message["method"] == "notifications/cancelled":
        sys.exit("initialize must not be cancelled")
