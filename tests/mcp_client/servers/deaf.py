"""Shakes hands, then never reads its stdin again; ends on SIGTERM only."""

import signal

from mcp_client.servers.lines import handshake, requests

for request in requests():
    handshake(request)
    if request["method"] == "notifications/initialized":
        break
signal.pause()
