"""Writes noise without end in a thread, and exits when its stdin ends."""

import os
import sys
import threading


def flood() -> None:
    while True:
        os.write(1, b"no message\n" * 5000)


threading.Thread(target=flood, daemon=True).start()
sys.stdin.buffer.read()
os._exit(0)
