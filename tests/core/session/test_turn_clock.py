import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from code_core.errors import TurnError
from code_core.session.turn.clock import TurnClock, UnhurriedApprover

LIMIT = 100.0


class Time:
    """The clock's time, which passes on demand."""

    def __init__(self) -> None:
        self.now = anyio.current_time()

    def __call__(self) -> float:
        return self.now

    @property
    def left(self) -> float:
        return anyio.current_effective_deadline() - self.now


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Time], Any]], None]:
    def run(body: Callable[[Time], Any]) -> None:
        async def main() -> None:
            time = Time()
            monkeypatch.setattr(anyio, "current_time", time)
            await body(time)

        anyio.run(main)

    return run


def test_a_turn_that_takes_too_long_is_cancelled() -> None:
    async def main() -> None:
        with anyio.fail_after(5), TurnClock(0.01).running():
            await anyio.sleep_forever()

    with pytest.raises(TurnError, match=r"stopped after 0\.01 seconds \(max_wall_seconds\)"):
        anyio.run(main)


def test_a_turn_without_a_limit_has_no_deadline(timed: Callable[..., None]) -> None:
    async def body(time: Time) -> None:
        clock = TurnClock(None)
        with clock.running():
            assert time.left == math.inf
            with clock.asking():
                pass
            assert time.left == math.inf

    timed(body)


def test_the_clock_is_paused_until_the_last_question_is_answered(timed: Callable[..., None]) -> None:
    async def body(time: Time) -> None:
        clock = TurnClock(LIMIT)
        with clock.running():
            assert time.left == pytest.approx(LIMIT)
            time.now += 30
            with clock.asking():
                assert time.left == math.inf
                time.now += 1_000
                with clock.asking():
                    time.now += 1_000
                assert time.left == math.inf
                time.now += 1_000
            assert time.left == pytest.approx(70)
            time.now += 30
            with pytest.raises(OSError, match="no answer"), clock.asking():
                raise OSError("no answer")
            assert time.left == pytest.approx(40)

    timed(body)


@pytest.mark.parametrize(("limit", "left"), [(LIMIT, [100, 70, 70, 70, 0]), (None, [None] * 5)])
def test_the_remaining_time_is_paused_with_the_clock(
    timed: Callable[..., None], limit: float | None, left: list[float | None]
) -> None:
    async def body(time: Time) -> None:
        clock = TurnClock(limit)
        seen = [clock.left]
        with clock.running():
            time.now += 30
            seen.append(clock.left)
            with clock.asking():
                time.now += 1_000
                seen.append(clock.left)
            seen.append(clock.left)
            time.now += 1_000
            seen.append(clock.left)
        assert seen == [one if one is None else pytest.approx(one) for one in left]

    timed(body)


def test_a_question_gives_no_time_back(timed: Callable[..., None]) -> None:
    async def body(time: Time) -> None:
        clock = TurnClock(LIMIT)
        with clock.running():
            time.now += 2 * LIMIT
            with clock.asking():
                pass
            assert time.left == pytest.approx(0)

    timed(body)


def test_a_question_outside_of_a_turn_changes_nothing(timed: Callable[..., None]) -> None:
    async def body(time: Time) -> None:
        clock = TurnClock(LIMIT)
        with clock.asking():
            assert time.left == math.inf
        assert time.left == math.inf
        with clock.running():
            assert time.left == pytest.approx(LIMIT)

    timed(body)


def test_the_clock_is_paused_while_an_approver_asks(timed: Callable[..., None]) -> None:
    class Approvals:
        approved, registered_commands = "approved", "registered"

    async def ask(question: object) -> Any:
        return question, anyio.current_effective_deadline()

    async def body(time: Time) -> None:
        clock: Any = TurnClock(LIMIT)
        approvals: Any = Approvals()
        question: Any = "may I?"
        with clock.running():
            answer: object = await UnhurriedApprover(approvals, ask, clock).ask(question)
            assert answer == (question, math.inf)
            unhurried: Any = UnhurriedApprover(approvals, ask, clock)
            assert (unhurried.approved, unhurried.registered_commands) == ("approved", "registered")
            assert time.left == pytest.approx(LIMIT)

    timed(body)
