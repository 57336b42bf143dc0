"""The replay model: a deterministic stand-in that plays a scenario.

A scenario is a file of JSON lines. The first is `{"replay": 1}`, with an
optional `title`. Every further line is the response to one request:

    {"expect": [EXPECTATION, …], "wire": WIRE, "stream": [EVENT, …]}

`stream` holds what the provider would send: events of the Responses API, or chunks of Chat
Completions if `wire` is `"chat"`, with `{"pause_ms": N}` between them. An expectation is checked
against the request: `{"contains": TEXT}` anywhere in its input, or `{"call_id": ID,
"output_contains": TEXT}` in the output of that call. Everything but the model is real.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
from pydantic import ValidationError

from code_core.errors import ConfigError, RequestRefused
from code_core.model.retry import RetryLimits
from code_core.protocol.items import CustomToolCallOutput, FunctionCallOutput
from code_core.protocol.model import ProtocolModel
from code_core.protocol.policies import WireApi
from code_core.wire.prompt import Prompt
from code_core.wire.reader import Reader
from code_core.wire.response_events import ResponseEvent
from code_core.wire.response_reader import ResponseReader
from code_core.wire.responses import request_body

LONGEST_PAUSE_MS = 60_000
ORIGIN = "replay"


class Header(ProtocolModel):
    """The first line of a scenario."""

    replay: Literal[1]
    title: str | None = None


class Expectation(ProtocolModel):
    """A condition that a request must meet before its response is played."""

    contains: str | None = None
    call_id: str | None = None
    output_contains: str | None = None


class Exchange(ProtocolModel):
    """One response of the scenario."""

    expect: list[Expectation] = []
    wire: WireApi = "responses"
    stream: list[dict[str, Any]] = []


def load_scenario(path: Path) -> list[Exchange]:
    """Load the responses in the scenario file at `path`, in order.

    Raises:
        ConfigError: the file cannot be read or is not a scenario; names the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"the scenario {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise ConfigError(f"the scenario {str(path)!r} cannot be read: {error}") from error
    exchanges: list[Exchange] = []
    seen_header = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            if seen_header:
                exchanges.append(Exchange.model_validate_json(line))
            else:
                Header.model_validate_json(line)
                seen_header = True
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise ConfigError(
                f"the scenario {path} is wrong at line {number}: {where}: {problem['msg']}"
            ) from None
    if not seen_header:
        raise ConfigError(f'the scenario {path} is empty: its first line must be {{"replay": 1}}')
    return exchanges


class ReplayClient:
    """Plays a scenario, one response per request."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._exchanges = exchanges
        self._requests = 0

    @property
    def retry_limits(self) -> RetryLimits:
        """See `ModelClient.retry_limits`."""
        return RetryLimits()

    async def aclose(self) -> None:
        """Nothing to release."""

    @asynccontextmanager
    async def stream(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[ResponseEvent]]:
        """See `ModelClient.stream`."""
        if self._requests == len(self._exchanges):
            raise RequestRefused(
                f"the scenario ends after {self._requests} responses, and another was requested"
            )
        exchange = self._exchanges[self._requests]
        self._requests += 1
        for expectation in exchange.expect:
            self._check(expectation, prompt)
        events = self._events(exchange)
        try:
            yield events
        finally:
            await events.aclose()

    async def _events(self, exchange: Exchange) -> AsyncGenerator[ResponseEvent]:
        reader: Reader = ResponseReader(self._requests, ORIGIN)
        if exchange.wire == "chat":
            from code_core.wire.chat_reader import ChatReader

            reader = ChatReader(self._requests, ORIGIN)
        for entry in exchange.stream:
            match entry:
                case {"pause_ms": int(pause)}:
                    await anyio.sleep(min(pause, LONGEST_PAUSE_MS) / 1000)
                case _:
                    for event in reader.read(entry):
                        yield event
        for event in reader.end():
            yield event

    def _check(self, expectation: Expectation, prompt: Prompt) -> None:
        wanted = expectation.output_contains or expectation.contains or ""
        if expectation.call_id is None:
            found = _text_within(request_body(prompt, ORIGIN)["input"], wanted)
            where = "its input"
        else:
            found = any(
                wanted in (item.output if isinstance(item.output, str) else str(item.output))
                for item in prompt.input
                if isinstance(item, FunctionCallOutput | CustomToolCallOutput)
                and item.call_id == expectation.call_id
            )
            where = f"the output of call {expectation.call_id}"
        if not found:
            raise RequestRefused(
                f"the scenario expected request {self._requests} to have {wanted!r} in {where}"
            )


def _text_within(value: object, wanted: str) -> bool:
    match value:
        case str():
            return wanted in value
        case dict():
            return any(_text_within(part, wanted) for part in value.values())
        case list():
            return any(_text_within(part, wanted) for part in value)
    return False
