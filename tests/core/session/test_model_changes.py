"""Settings that depend on the model are resolved again for each turn."""

from pathlib import Path

import anyio
import pytest

from code_core.config.load import ConfigOverrides
from code_core.protocol.ops import OverrideTurnContext
from code_core.session.manager import ConversationManager
from core.session.conversing import Frontend, user
from support import ScriptedUpstream, stream
from support import responses_events as sse

END = stream(sse.created(), sse.message("END"), sse.completed())


def test_requests_change_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    windows: list[int | None] = []
    with ScriptedUpstream([END, END, END]) as upstream:
        overrides = ConfigOverrides(
            cwd=tmp_path,
            model="gpt-5",
            model_provider="p",
            settings=(
                ("model_providers.p.base_url", upstream.base_url),
                ("model_verbosity", "low"),
                ("model_context_window", 9_000),
            ),
        )

        async def main() -> None:
            async with await ConversationManager().new(overrides) as conversation:
                frontend = Frontend(conversation)
                for model in (None, "gpt-4.1", "gpt-5"):
                    if model is not None:
                        await frontend.send(OverrideTurnContext(model=model))
                    await frontend.send(user("go"))
                    windows.append((await frontend.until("task_started")).model_context_window)
                    await frontend.until("token_count")
                    windows.append(frontend.seen[-1].msg.info.model_context_window)  # type: ignore[union-attr]  # it has
                    await frontend.until("task_complete")
                warnings = [event.msg.message for event in frontend.seen if event.msg.type == "warning"]
                assert warnings == [
                    "model_text_verbosity has no effect: the model gpt-4.1 does not support it"
                ]

        anyio.run(main)
        first, second, third = (request.json for request in upstream.requests)
    assert windows == [9_000, 9_000, 1_047_576, 1_047_576, 9_000, 9_000]
    assert [body["model"] for body in (first, second, third)] == ["gpt-5", "gpt-4.1", "gpt-5"]
    assert [tool["type"] for tool in first["tools"] if tool["name"] == "apply_patch"] == ["custom"]
    assert [tool["type"] for tool in second["tools"] if tool["name"] == "apply_patch"] == ["function"]
    assert second["instructions"] == first["instructions"]
    assert first["text"] == {"verbosity": "low"}
    assert "text" not in second
    assert "reasoning" in first
    assert "reasoning" not in second
    same = ("tools", "instructions", "text", "reasoning")
    assert [first[key] for key in same] == [third[key] for key in same]
