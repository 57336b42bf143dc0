"""Does not end when its stdin does; with `ignore-term` not on SIGTERM either."""

import signal
import sys
from pathlib import Path

from mcp_client.servers.lines import serve

if "ignore-term" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    marker = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: (marker.write_text("terminated"), sys.exit(0)))
serve({})
while True:
    signal.pause()
