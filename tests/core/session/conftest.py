from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config, ConfigOverrides
from code_core.protocol.policies import SandboxMode
from code_core.sandbox.detection import Detection, Finding
from code_core.session.manager import ConversationManager
from core.session.conversing import Frontend
from core.session.desk import Desk
from core.session.scripted import scripted_config
from support.scenario import Response, write_scenario

Script = Callable[[Frontend], Awaitable[None]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return scripted_config(tmp_path)


@pytest.fixture
def converse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()

    def run(
        script: Script,
        *responses: Response,
        sandbox: SandboxMode = SandboxMode.DANGER_FULL_ACCESS,
        **more: Any,
    ) -> None:
        scenario = write_scenario(tmp_path, responses)
        overrides = ConfigOverrides(cwd=work, replay_scenario=scenario, sandbox_mode=sandbox, **more)

        async def main() -> None:
            with anyio.fail_after(30):
                async with await ConversationManager().new(overrides) as conversation:
                    await script(Frontend(conversation))

        anyio.run(main)

    return run


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Detection((Finding("bwrap", None, "not installed"),))
    monkeypatch.setattr("code_core.tools.shell_commands.detect_sandbox", lambda: nothing)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    monkeypatch.setenv("CODE_HOME", str(desk.home))
    return desk
