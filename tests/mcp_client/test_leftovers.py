import os
import subprocess
import sys

import pytest

from code_mcp_client.family import ProcessFamily
from mcp_client.scripted import ENVIRONMENT


def test_a_process_with_a_reused_pid_gets_no_signal() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        family = ProcessFamily(process.pid)
        family.look()
        [member] = family.alive()
        # As if it had started at another time, and so were another process.
        vars(member).update(_ident=(member.pid, 1.0), _create_time=1.0)
        assert family.alive() == []
        process.communicate(b"")


def test_a_session_id_is_not_trusted_after_the_family_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as stranger:
        family = ProcessFamily(stranger.pid)
        monkeypatch.setattr(family, "alive", list)  # the family was empty when its leader ended
        family.leader_ended()
        family._known.clear()
        family.look()  # now the number belongs to an unrelated process
        assert not family._known
        stranger.communicate(b"")


def test_a_client_that_is_never_closed_is_closed_with_the_loop() -> None:
    code = """
import asyncio
from mcp_client.scripted import scripted

async def main():
    client = await scripted("echo").__aenter__()
    await client.initialize()

asyncio.run(main())
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, **ENVIRONMENT},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)
