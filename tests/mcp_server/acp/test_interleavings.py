"""One connection with events in any order: invariants that always hold.

The clock is virtual, so a person who thinks for two hours takes no time. `ACP_INTERLEAVINGS=10000 pytest
--timeout=7200 tests/mcp_server/acp/test_interleavings.py` tries that many; without it, a sample is tried.
"""

import asyncio
import logging
import os
from pathlib import Path
from random import Random

import anyio
import anyio.lowlevel
import pytest

from code_mcp_server.acp.sessions import MOST_SESSIONS
from mcp_server.acp.editor import CAPABILITIES, WORK, Action, Editor
from mcp_server.acp.in_memory import harness
from support.virtual_clock import run_virtually

INTERLEAVINGS = int(os.environ.get("ACP_INTERLEAVINGS", "200"))
SETTLE_SECONDS = 0.001
"""The virtual clock advances this far only when every task waits."""
END_SECONDS = 3600.0
DESCRIPTORS = Path("/proc/self/fd")
MOST_ACTIONS = 60

STEPS = "text,message,ask,ask,ask,ask about a patch,elicit,command,done,complete,complete,fail,fail,slow,crash".split(
    ","
)
OPTIONS = "approved,approved-for-session,denied,abort,cancelled,error,nonsense,cancelled error".split(",")
ON_SESSION = "prompt,prompt and cancel,prompt twice,cancel,cancel,mode,model,close,load,resume,delete".split(
    ","
)
SESSIONS = [0, 0, 0, 0, 1, 2]
WAITS = [
    *(0, 0, -1, -5),  # below zero: rounds of the event loop
    *[SETTLE_SECONDS] * 5,
    *(1.0, 45.0, 600.0, 7200.0),  # a person thinks
]
ENDS = ["settles", "settles", "input ends", "client dies"]


def _next_action(random: Random, editor: Editor) -> Action:
    """Something that a client or the engine may do now, and occasionally something senseless."""
    number = random.choice(SESSIONS)
    draw = random.random()
    if draw < 0.03:
        return ("new",)
    if draw < 0.06:
        return "withdraw", random.randrange(6)
    if editor.is_asked and draw < 0.25:
        return random.choice(["answer", "answer", "answer twice"]), random.choice(OPTIONS)
    if editor.is_running(number):
        return ("step", number, random.choice(STEPS)) if draw < 0.75 else (random.choice(ON_SESSION), number)
    return ("prompt", number) if draw < 0.6 else (random.choice(ON_SESSION), number)


async def _wait(seconds: float) -> None:
    if seconds > 0:
        await anyio.sleep(seconds)
    for _ in range(int(-seconds)):
        await anyio.lowlevel.checkpoint()


async def _interleave(random: Random, done: list[Action]) -> None:
    tasks, descriptors = asyncio.all_tasks(), _descriptors()
    async with harness(CAPABILITIES) as agent:
        await anyio.sleep(SETTLE_SECONDS)
        idle = len(asyncio.all_tasks())
        editor = Editor(agent)
        editor.request("session/new", **WORK)
        await anyio.sleep(SETTLE_SECONDS)
        for _ in range(random.randint(5, MOST_ACTIONS)):
            action, wait = _next_action(random, editor), random.choice(WAITS)
            done.append((*action, wait))
            editor.act(action)
            await _wait(wait)
        done.append((random.choice(ENDS),))
        match done[-1][0]:
            case "client dies":  # it stops reading, and its end of the pipe closes
                agent.writer.gone = True
                agent.end()
            case "input ends":
                agent.end()
            case _:
                await _settle(editor)
                editor.check_settled()
                for session in editor.sessions:
                    editor.request("session/close", session)
                await anyio.sleep(END_SECONDS)
                editor.check_settled()
                assert len(asyncio.all_tasks()) == idle
    editor.check_violations()
    assert asyncio.all_tasks() == tasks
    assert _descriptors() == descriptors


async def _settle(editor: Editor) -> None:
    """Let everything that is open end, so that no session keeps its prompt."""
    await anyio.sleep(END_SECONDS)
    for session in editor.sessions:
        editor.cancel(session)
    await anyio.sleep(END_SECONDS)


def _descriptors() -> int:
    return len(os.listdir(DESCRIPTORS)) if DESCRIPTORS.exists() else 0  # noqa: PTH208 - a count


@pytest.mark.usefixtures("in_memory")
def test_every_request_is_answered_once_and_nothing_stays_open(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # engines that crash report it
    for seed in range(INTERLEAVINGS):
        done: list[Action] = []
        try:
            run_virtually(lambda: _interleave(Random(seed), done))  # noqa: B023, S311 - called now; not a secret
        except BaseException as error:
            error.add_note(f"seed {seed}: {done}")
            raise


@pytest.mark.usefixtures("in_memory")
def test_a_cancellation_that_crosses_the_end_of_the_turn_counts() -> None:
    actions: list[tuple[Action, float]] = [
        (("prompt", 0), 1.0),
        (("step", 0, "complete"), 0),
        (("cancel", 0), 1.0),
    ]

    async def main() -> None:
        async with harness() as agent:
            editor = Editor(agent)
            editor.request("session/new", **WORK)
            await anyio.sleep(SETTLE_SECONDS)
            for action, wait in actions:
                editor.act(action)
                await _wait(wait)
            assert editor.requests[1].answer is not None
            assert editor.requests[1].answer["result"] == {"stopReason": "cancelled"}

    run_virtually(main)


@pytest.mark.usefixtures("in_memory")
def test_requests_about_one_session_run_one_at_a_time() -> None:
    async def main() -> None:
        async with harness() as agent:
            editor = Editor(agent)
            editor.request("session/new", **WORK)
            await anyio.sleep(SETTLE_SECONDS)
            for kind in ("resume", "delete", "load", "close"):
                editor.act((kind, 0))
            await anyio.sleep(END_SECONDS)
            answers = [
                sent.answer["result" if "result" in sent.answer else "error"]
                for sent in editor.requests[1:]
                if sent.answer
            ]
            assert [answer.get("code") for answer in answers] == [None, None, -32002, -32002]

    run_virtually(main)


@pytest.mark.usefixtures("in_memory")
def test_sessions_being_opened_count_towards_the_limit() -> None:
    async def main() -> None:
        async with harness() as agent:
            editor = Editor(agent)
            for _ in range(MOST_SESSIONS + 10):
                editor.request("session/new", **WORK)
            await anyio.sleep(SETTLE_SECONDS)
            assert len(editor.sessions) == MOST_SESSIONS
            editor.act(("close", 0))
            await anyio.sleep(SETTLE_SECONDS)
            editor.request("session/new", **WORK)
            await anyio.sleep(SETTLE_SECONDS)
            assert len(editor.sessions) == MOST_SESSIONS + 1

    run_virtually(main)
