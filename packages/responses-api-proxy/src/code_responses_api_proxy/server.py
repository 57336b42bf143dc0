"""The proxy: listens, limits its connections, enforces time limits, and shuts down gracefully."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable

from code_process_hardening import SecretBuffer
from code_responses_api_proxy.downstream import Admission, Downstream
from code_responses_api_proxy.dump import DumpFolder
from code_responses_api_proxy.errors import UsageError
from code_responses_api_proxy.exchange import Exchange
from code_responses_api_proxy.gate import Forward, Policy
from code_responses_api_proxy.pool import Pool
from code_responses_api_proxy.redact import Redactor

SCRATCH_BYTES = 256 * 1024
BACKLOG = 1024
ACCEPTED_TOGETHER = 4
MOST_TURNED_AWAY = 16
"""Connections above the limit that get an answer; each uses a descriptor until its client has read it."""
SWEEP_SECONDS = 0.5
DRAIN_SECONDS = 5.0
"""Time for running streams to finish during shutdown."""


class Proxy:
    """Serves the connections of `listener`, with `head` in every request and its key redacted in responses."""

    def __init__(
        self,
        policy: Policy,
        pool: Pool,
        head: SecretBuffer,
        redactor: Redactor,
        *,
        scratch: memoryview,
        url: str,
        max_connections: int,
        dump: DumpFolder | None = None,
    ) -> None:
        self.policy = policy
        self.draining = False
        self.scratch = scratch
        self._pool = pool
        self._head = head
        self._redactor = redactor
        self._url = url
        self._most = max_connections
        self._dump = dump
        self._connections: set[Downstream] = set()
        self._loop: asyncio.AbstractEventLoop
        self._ending: asyncio.Event

    def admit(self, connection: Downstream) -> Admission:
        """Register a new connection and decide whether to serve it."""
        self._connections.add(connection)
        excess = len(self._connections) - self._most
        if excess <= 0:
            return Admission.ADMITTED
        return Admission.TURNED_AWAY if excess <= MOST_TURNED_AWAY else Admission.DROPPED

    def forget(self, connection: Downstream) -> None:
        """Unregister a closed connection."""
        self._connections.discard(connection)

    def exchange(self, forward: Forward, head: bytes, client: Downstream) -> Exchange:
        """Create the exchange for one request."""
        recording = self._dump.record(self._url, head) if self._dump is not None else None
        return Exchange(forward, client, self._pool, self._head, self._redactor, recording)

    def shut_down(self) -> None:
        """Start shutting down the proxy."""
        self._ending.set()

    async def serve(
        self, listener: socket.socket, ready: Callable[[], None], lifeline: int | None = None
    ) -> None:
        """Serve until a signal or a request ends it; running streams then get some seconds to finish.

        `ready` is called when connections are accepted. The proxy also ends when the pipe `lifeline` closes.

        Raises:
            UsageError: the lifeline is not a pipe.
        """
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_report)
        self._ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ending.set)
        if lifeline is not None:
            self._watch(lifeline)
        server = await self._loop.create_server(
            lambda: Downstream(self, self._loop.time), sock=listener, backlog=ACCEPTED_TOGETHER
        )
        # asyncio accepts a whole backlog at once, so a large one would delay every client until all are accepted.
        listener.listen(BACKLOG)
        ready()
        sweeping = self._loop.create_task(self._sweep())
        await self._ending.wait()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)  # a second signal ends it immediately
        server.close()
        await self._drain()
        sweeping.cancel()
        self._pool.close()

    def _watch(self, lifeline: int) -> None:
        def read() -> None:
            if not os.read(lifeline, 4096):
                self._loop.remove_reader(lifeline)
                self._ending.set()

        try:
            self._loop.add_reader(lifeline, read)
        except PermissionError:
            raise UsageError("--exit-on-eof needs a pipe as standard input: it waits for its end") from None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._loop.time()
            self._pool.sweep(now)
            for connection in [each for each in self._connections if each.deadline < now]:
                connection.expire()

    async def _drain(self) -> None:
        self.draining = True
        for connection in list(self._connections):
            connection.close_when_done()
        end = self._loop.time() + DRAIN_SECONDS
        while self._connections and self._loop.time() < end:  # noqa: ASYNC110 - an event would have to be set by each of a thousand
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the transports close their sockets


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Print one line for errors that asyncio cannot pass to a caller: no descriptors left, or a bug of ours."""
    del loop
    error = context.get("exception")
    detail = f"{type(error).__name__}: {error}" if error is not None else ""
    sys.stderr.write(f"responses-api-proxy: {context.get('message')} {detail}".rstrip() + "\n")
