from collections.abc import Callable
from typing import Any

import pytest

from support.command import Workspace
from support.scenario import write_scenario

Replay = Callable[..., None]


@pytest.fixture
def replay(workspace: Workspace) -> Replay:
    """Has the model of the workspace give these responses."""

    def write(*responses: list[dict[str, Any]]) -> None:
        workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))

    return write
