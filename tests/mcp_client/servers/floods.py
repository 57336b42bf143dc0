"""Writes text other than messages, without end: the lines of its argument, or one endless line."""

import os
import sys

line = sys.argv[1].encode().decode("unicode_escape").encode()
block = line * (65536 // len(line))
try:
    while True:
        os.write(1, block)
except BrokenPipeError:
    pass
