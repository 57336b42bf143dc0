"""Closes its stdout or its stdin, but keeps running until it gets a signal."""

import os
import signal
import sys

from mcp_client.servers.lines import send

if sys.argv[1] == "stdin":
    os.close(0)
    send({"method": "closed"})
else:
    os.close(1)
signal.pause()
