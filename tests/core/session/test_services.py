"""How the parts of a session are closed."""

import anyio
import anyio.lowlevel
import pytest

from code_core.session import services
from code_core.session.services import close_all


def test_every_part_is_closed_even_if_others_fail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(services, "CLOSE_SECONDS", 0.05)
    closed: list[str] = []

    async def fails() -> None:
        raise OSError("broken")

    async def hangs() -> None:
        await anyio.sleep_forever()

    async def closes() -> None:
        await anyio.lowlevel.checkpoint()
        closed.append("it")

    async def main() -> None:
        with anyio.fail_after(5), anyio.CancelScope() as scope:
            scope.cancel()  # the session ends because its program ends
            await close_all(("failing", fails), ("hanging", hangs), ("good", closes))

    anyio.run(main)
    assert closed == ["it"]
    assert [record.getMessage() for record in caplog.records] == [
        "closing the failing failed",
        "closing the hanging took more than 0.05 s",
    ]
