"""Which connections to the upstream are reused."""

import asyncio
import socket

import pytest

from code_process_hardening import SecretBuffer
from code_responses_api_proxy.pool import Pool
from code_responses_api_proxy.target import parse_target

MUCH = 64 * 1024 * 1024
"""More than the kernel buffers for a peer that does not read."""


@pytest.mark.parametrize(("size", "reused"), [(2, True), (MUCH, False)])
def test_a_connection_with_an_unsent_body_takes_no_further_request(size: int, reused: bool) -> None:
    # The next head would overtake that body's queue, and the upstream would read the key as part of the body.
    async def ask() -> bool:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            SecretBuffer(64) as head,
        ):
            head.append(b"POST / HTTP/1.1\r\n")
            target = parse_target(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            pool = Pool(target, memoryview(bytearray(1024)), connect_seconds=10)
            connection = await pool.connect()
            connection.send(head, bytes(size))
            pool.put(connection, now=0.0)
            taken = pool.take()
            connection.abort()
            await asyncio.sleep(0)
        return taken is connection

    assert asyncio.run(ask()) is reused
