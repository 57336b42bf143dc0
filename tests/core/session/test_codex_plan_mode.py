"""Plan mode in the form that Codex records."""

import json
from pathlib import Path

from code_core.protocol.ops import OverrideTurnContext
from code_core.protocol.policies import CollaborationMode
from code_core.session.parts import make_session
from core.session.scripted import ScriptedModel, scripted_config


def test_the_mode_of_a_codex_session_is_restored(tmp_path: Path) -> None:
    recorded = {"mode": "plan", "settings": {"model": "m", "reasoning_effort": None}}
    op = OverrideTurnContext.model_validate({"collaboration_mode": recorded})
    assert op.collaboration_mode is CollaborationMode.PLAN
    session = make_session(scripted_config(tmp_path), ScriptedModel())
    assert "collaboration_mode" not in session.context_entry().payload
    session.settings = session.settings.overridden(op)
    assert json.loads(json.dumps(session.context_entry().payload))["collaboration_mode"]["mode"] == "plan"
