"""kill -9 at every write of a session."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from code_core.session.history.request_input import normalised
from code_core.store.entries import ItemEntry
from code_core.store.restore import restore
from code_core.store.restored_items import response_items
from code_core.store.sessions import SessionStore
from core.store.samples import ID, texts, user

STEPS = 30

SESSION = """
import os, signal, sys
from pathlib import Path
import anyio
from code_core.store.entries import EventEntry, ItemEntry
from code_core.store.rollout_journal import RolloutJournal
from code_core.store.sessions import SessionStore

home, session_id, fatal, part = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
write, count = os.write, 0

def dying(descriptor, data):
    global count
    count += 1
    if count == fatal:
        write(descriptor, data[:int(len(data) * part)])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(descriptor, data)

async def main():
    opened = SessionStore(home).create(session_id, {"cwd": "/work"})
    os.write = dying
    journal = RolloutJournal(opened.file, opened.lock)
    for step in range(30):
        kind = step % 3
        if kind == 0:
            content = [{"type": "input_text", "text": f"question {step}"}]
            item = {"type": "message", "role": "user", "content": content}
        elif kind == 1:
            item = {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": f"call_{step}"}
        else:
            item = {"type": "function_call_output", "call_id": f"call_{step - 1}", "output": "ok"}
        await journal.append(ItemEntry(item))
        print(step, flush=True)
    os.write = write
    await journal.aclose()

anyio.run(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_only_the_line_being_written_is_lost(part: float, tmp_path: Path) -> None:
    # The meta line is the first write. Several children at once, for starting them is what takes time.
    homes = {fatal: tmp_path / str(fatal) for fatal in range(1, STEPS + 2)}
    waiting = list(homes.items())
    while waiting:
        batch, waiting = waiting[:6], waiting[6:]
        children = []
        for fatal, home in batch:
            command = [sys.executable, "-c", SESSION, str(home), ID, str(fatal), str(part)]
            children.append((fatal, home, subprocess.Popen(command, stdout=subprocess.PIPE)))
        for fatal, home, child in children:
            printed, _ = child.communicate(timeout=100)
            assert child.returncode == -signal.SIGKILL
            check(home, recorded=len(printed.split()), written=fatal - 1 if part < 1 else fatal)


def check(home: Path, *, recorded: int, written: int) -> None:
    """Everything acknowledged is there, and the session can be continued."""
    items_written = max(0, written - 1)
    assert recorded <= items_written
    (path,) = home.glob("sessions/*/*/*/*.jsonl")
    store = SessionStore(home)
    opened = store.resume(path)  # the lock of the dead process is taken over
    assert opened.restored is not None
    assert len(opened.restored.items) == items_written
    history, notes = response_items(opened.restored.items)
    assert notes == ()
    valid = normalised(history)
    assert valid[: len(history)] == history
    assert len(valid) - len(history) == (items_written % 3 == 2)
    before = [
        json.loads(line) for line in path.read_bytes().splitlines()[: written or None] if line.endswith(b"}")
    ]
    opened.file.write([ItemEntry(user("go on"))])
    opened.file.close()
    opened.lock.release()
    lines = path.read_bytes().splitlines()
    assert [json.loads(line) for line in lines[: len(before)]] == before
    restored = restore(path)
    assert texts(restored.items)[-1] == "go on"
    assert len(restored.items) == items_written + 1
    assert restored.meta.id == ID
    assert not list((home / "locks").iterdir())
