import os
import subprocess
import sys

from code_mcp_client.family import ProcessFamily
from mcp_client.scripted import ENVIRONMENT


def test_signals_reach_no_process_that_has_taken_over_a_number() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        family = ProcessFamily(process.pid)
        family.look()
        [member] = family.alive()
        member._ident = (member.pid, 1.0)  # as if it had started at another time: another process
        member._create_time = 1.0
        assert family.alive() == []
        process.communicate(b"")


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
