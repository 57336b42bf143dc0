"""The output of a running command is shown in time, even if nothing follows."""

import base64
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from code_core.acp.updates import Update, UpdateTranslator
from code_core.protocol.duration import Duration
from code_core.protocol.events import EventMsg, ExecCommandBegin, ExecCommandEnd, ExecCommandOutputDelta
from code_core.session.events.log import EventLog
from code_mcp_server.live_output import LONGEST_WITHHELD_SECONDS, LiveOutput
from support.virtual_clock import run_virtually

BEGIN = ExecCommandBegin(call_id="c", command=["x"], cwd=Path("/w"))
END = ExecCommandEnd(call_id="c", stdout="", stderr="", exit_code=0, duration=Duration.of(1))


def output(text: str) -> ExecCommandOutputDelta:
    return ExecCommandOutputDelta(
        call_id="c", stream="stdout", chunk=base64.b64encode(text.encode()).decode()
    )


class Frontend:
    """Follows a log, and records what it sent and when."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.sent: list[tuple[float, str]] = []

    async def follow(self, deadline: float = float("inf")) -> None:
        translator = UpdateTranslator()
        reader = self.log.reader()
        live = LiveOutput(translator, self.send)
        while (event := await live.next_event(reader, deadline)) is not None:
            await self.send(translator.updates(event.msg))

    async def send(self, updates: Sequence[Update]) -> None:
        for update in updates:
            if update.get("content"):
                text = update["content"][0]["content"]["text"].removeprefix("```\n").removesuffix("\n```")
                self.sent.append((round(anyio.current_time(), 1), text))

    def play(self, *script: EventMsg | float) -> list[tuple[float, str]]:
        """Publish the events with the given pauses; return what was sent and when."""

        async def main() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.follow)
                await anyio.lowlevel.checkpoint()
                for step in script:
                    if isinstance(step, float):
                        await anyio.sleep(step)
                    else:
                        self.log.publish("1", step)
                        await anyio.wait_all_tasks_blocked()
                self.log.close()

        run_virtually(main)
        return self.sent


def test_output_is_shown_when_nothing_follows() -> None:
    assert Frontend().play(BEGIN, output("beg"), output("un"), 600.0) == [
        (0.0, "beg"),
        (LONGEST_WITHHELD_SECONDS, "begun"),
    ]


def test_a_steady_trickle_is_shown_once_a_second() -> None:
    trickle: list[EventMsg | float] = [output("y"), 0.3]
    sent = Frontend().play(BEGIN, output("x" * 100), *trickle * 10, END)
    assert [(seconds, len(text)) for seconds, text in sent] == [(0.0, 100), (1.0, 104), (2.2, 108)]


@pytest.mark.parametrize("seconds", [0.9, 1.1])
def test_nothing_is_shown_after_the_end_of_the_command(seconds: float) -> None:
    sent = Frontend().play(BEGIN, output("beg"), output("un"), seconds, END, 600.0)
    assert len(sent) == (1 if seconds < 1 else 2)


def test_a_deadline_applies_while_output_is_withheld() -> None:
    async def main() -> None:
        frontend = Frontend()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(frontend.follow, 3.5)
            await anyio.lowlevel.checkpoint()
            for event in (BEGIN, output("beg"), output("un")):
                frontend.log.publish("1", event)
                await anyio.wait_all_tasks_blocked()
        assert anyio.current_time() == pytest.approx(3.5)
        assert [text for _, text in frontend.sent] == ["beg", "begun"]

    run_virtually(main)
