"""Distinguishes messages written by the user from those that programs add with the user role."""

from code_core.store.entries import JsonObject, text_of

# How agents begin the messages that they add themselves.
_ADDED = (
    "<environment_context>",
    "<ENVIRONMENT_CONTEXT>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<INSTRUCTIONS>",
    "<turn_aborted>",
    "<user_action>",
    "<user_shell_command>",
    "<skill",
    "<permissions instructions>",
    "<collaboration_mode>",
    "<system_status>",
    "== System Status ==",
    # Ours.
    "<turn_interrupted>",
    "<stream_interrupted>",
    "<session_state>",
    "<plan_rejected>",
    "<session_summary>",
    "<files_restored>",
    "<code_review>",
)


def text_of_item(item: JsonObject) -> str:
    """Return the text of a message, its parts joined by line feeds; empty for other items."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    if item.get("type") != "message" or not isinstance(content, list):
        return ""
    return "\n".join(filter(None, (text_of(part, "text") for part in content if isinstance(part, dict))))


def is_from_user(item: JsonObject) -> bool:
    """Whether `item` is a message written by the user, which begins a turn."""
    if item.get("type") != "message" or item.get("role") != "user":
        return False
    kinds = _content_kinds(item)
    if kinds:
        return any(kind.startswith("user.") for kind in kinds)
    return not text_of_item(item).lstrip().startswith(_ADDED)


def is_context_of_codex(item: JsonObject) -> bool:
    """Whether `item` gives the model context: instructions, permissions, environment.

    Such items from another program describe its tools and sandbox, not ours.
    """
    return item.get("type") == "message" and (
        item.get("role") == "developer"
        or (item.get("role") == "user" and not is_from_user(item) and not _is_summary(item))
    )


def _is_summary(item: JsonObject) -> bool:
    return any(kind.startswith("compaction.") for kind in _content_kinds(item))


def _content_kinds(item: JsonObject) -> list[str]:
    """What Codex 2026 records about the parts of a message, such as `user.text`."""
    noted = item.get("internal_chat_message_metadata_passthrough")
    kinds = noted.get("content_item_kinds") if isinstance(noted, dict) else None
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
