"""Updates that only some clients support, and their replacements for the others.

Source: Agent Client Protocol, version 1: `notice`, `compaction_update`, `plan_update` (schema of SDK 2.4.0).
"""

from typing import Any, Literal

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.message_ids import chunk
from code_core.protocol.events import PlanUpdate
from code_core.protocol.session_events import ContextCompacted
from code_core.view.visible import readable, visible_line

Update = dict[str, Any]
PLAN_ID = "plan"
LONGEST_NOTICE_TITLE = 200


def notice(
    client: ClientCapabilities,
    severity: Literal["info", "warning", "error"],
    text: str,
    message_id: str | None,
) -> Update:
    """Return a notice for the user, as an agent thought for clients without notices."""
    if not client.notices:
        return chunk("agent_thought_chunk", f"{severity}: {text}", message_id or severity)
    title, _, rest = text.partition("\n")
    update: Update = {
        "sessionUpdate": "notice",
        "severity": severity,
        "title": title[:LONGEST_NOTICE_TITLE] or severity,
    }
    more = (title[LONGEST_NOTICE_TITLE:] + "\n" + rest).strip()
    return {**update, "description": more} if more else update


def compaction_updates(msg: ContextCompacted, client: ClientCapabilities, compaction_id: str) -> list[Update]:
    """Return the updates for a history that was replaced by a summary."""
    if client.compaction:
        update: Update = {
            "sessionUpdate": "compaction_update",
            "compactionId": compaction_id,
            "status": "completed",
        }
        if msg.summary:
            update["summary"] = [{"type": "text", "text": readable(msg.summary)}]
        return [update]
    kind = "agent_thought_chunk" if msg.automatic else "agent_message_chunk"
    text = f"The conversation was compacted from about {msg.before:,} to {msg.after:,} tokens."
    return [chunk(kind, text, compaction_id)]


def plan_update(msg: PlanUpdate, client: ClientCapabilities) -> Update:
    """Return the update with the agent's complete plan."""
    entries = [
        {"content": visible_line(step.step), "priority": "medium", "status": step.status} for step in msg.plan
    ]
    if client.plans:
        return {
            "sessionUpdate": "plan_update",
            "plan": {"type": "items", "planId": PLAN_ID, "entries": entries},
        }
    return {"sessionUpdate": "plan", "entries": entries}
