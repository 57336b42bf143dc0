"""The agent's coverage of the Agent Client Protocol, by the names in the newest schema.

Each name has the test that tries it, or the reason why it is missing. `tests/mcp_server/acp/test_coverage.py`
compares the names with the schema, and the supported ones with the code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_ACP, _CORE = "mcp_server/acp/", "core/acp/"


@dataclass(frozen=True, slots=True)
class Supported:
    """It is supported.

    Attributes:
        test: the file below `tests`, and the function.
    """

    test: str


@dataclass(frozen=True, slots=True)
class Missing:
    """It is not supported, and why."""

    why: str


Support = Supported | Missing

_UNSTABLE = Missing("not in the stable protocol")
_OWN_SANDBOX = Missing("commands run in the agent's own sandbox; the client only shows them")
_NO_SUBAGENTS = Missing("the agent has no subagents")


def _tested(file: str, function: str) -> Supported:
    return Supported(f"{file}::{function}")


_RESULTS = _tested(_ACP + "test_prompts.py", "test_every_result_matches_the_schema")
_LOADED = _tested(_ACP + "test_sessions.py", "test_a_load_shows_everything_before_its_answer")
_SDK = _tested(
    _ACP + "test_typescript_sdk.py", "test_streaming_permission_files_terminal_compaction_and_load"
)
_PATCH = _tested(_CORE + "test_updates.py", "test_a_patch_has_its_kind_title_and_locations")
_OPTIONS = _tested(_ACP + "test_turns.py", "test_a_question_is_complete_and_its_options_are_in_order")
_CHANGES = _tested(_ACP + "test_turns.py", "test_modes_and_options_change_and_are_reported")
_BLOCKS = _tested(_CORE + "test_updates.py", "test_prompt_blocks_become_input")
_BY_DECLARATION = _tested(
    _CORE + "test_sessions.py", "test_updates_are_sent_only_to_clients_that_declare_them"
)
_DIRECTORIES = _tested(
    _ACP + "test_sessions.py", "test_additional_directories_are_writable_if_the_workspace_is"
)
_LISTED = _tested(_ACP + "test_sessions.py", "test_sessions_are_listed_closed_and_deleted")
_RESUMED = _tested(_ACP + "test_sessions.py", "test_a_session_without_a_prompt_is_resumed_by_another_process")
_TERMINAL_LOGIN = _tested(_ACP + "test_authentication.py", "test_terminal_login_runs_the_agents_command")
_FORMS = _tested(_ACP + "test_client_servers.py", "test_a_clients_server_is_used_and_its_questions_are_forms")
_PAGES = _tested(_ACP + "test_client_servers.py", "test_a_server_may_ask_to_open_a_page")
_EDITOR = _tested(_ACP + "test_client_texts.py", "test_a_patch_goes_through_the_editor")
_ENDED = _tested(_ACP + "test_coverage.py", "test_a_prompt_ends_with_the_reason_of_its_end")
_OUTPUT = _tested(_CORE + "test_updates.py", "test_a_command_is_a_tool_call_whose_output_grows")

COVERAGE: Mapping[str, Mapping[str, Support]] = {
    "methods of the agent": {
        "initialize": _RESULTS,
        "authenticate": _tested(
            _ACP + "test_authentication.py", "test_a_saved_key_lets_a_running_agent_open_sessions"
        ),
        "logout": _tested(_ACP + "test_authentication.py", "test_a_logout_deletes_the_saved_key"),
        "session/new": _RESULTS,
        "session/load": _LOADED,
        "session/resume": _RESUMED,
        "session/list": _LISTED,
        "session/close": _LISTED,
        "session/delete": _LISTED,
        "session/prompt": _tested(_ACP + "test_prompts.py", "test_a_prompt_streams_and_ends"),
        "session/cancel": _tested(
            _ACP + "test_prompts.py", "test_a_cancelled_command_ends_the_prompt_as_cancelled"
        ),
        "session/set_mode": _CHANGES,
        "session/set_config_option": _CHANGES,
        "$/cancel_request": _tested(
            _ACP + "test_prompts.py", "test_a_withdrawn_prompt_is_answered_and_the_session_continues"
        ),
        "auth/status": _UNSTABLE,
        "mcp/message": _UNSTABLE,
        "providers/disable": _UNSTABLE,
        "providers/list": _UNSTABLE,
        "providers/set": _UNSTABLE,
        "session/archive": _UNSTABLE,
        "session/fork": _UNSTABLE,
        "session/set_title": _UNSTABLE,
        "session/status": _UNSTABLE,
        "session/unarchive": _UNSTABLE,
    },
    "methods of the client": {
        "session/update": _SDK,
        "session/request_permission": _OPTIONS,
        "fs/read_text_file": _EDITOR,
        "fs/write_text_file": _EDITOR,
        "elicitation/create": _FORMS,
        "elicitation/complete": _PAGES,
        "terminal/create": _OWN_SANDBOX,
        "terminal/kill": _OWN_SANDBOX,
        "terminal/output": _OWN_SANDBOX,
        "terminal/release": _OWN_SANDBOX,
        "terminal/wait_for_exit": _OWN_SANDBOX,
        "auth/status_update": _UNSTABLE,
        "mcp/message": _UNSTABLE,
    },
    "updates": {
        "user_message_chunk": _LOADED,
        "agent_message_chunk": _tested(
            _CORE + "test_updates.py", "test_a_message_is_sent_once_whether_streamed_or_not"
        ),
        "agent_thought_chunk": _SDK,
        "tool_call": _OUTPUT,
        "tool_call_update": _OUTPUT,
        "plan": _BY_DECLARATION,
        "plan_update": _BY_DECLARATION,
        "available_commands_update": _tested(
            _ACP + "test_prompts.py", "test_commands_are_listed_after_the_answer"
        ),
        "current_mode_update": _CHANGES,
        "config_option_update": _CHANGES,
        "session_info_update": _SDK,
        "usage_update": _SDK,
        "notice": _BY_DECLARATION,
        "compaction_update": _BY_DECLARATION,
        "compaction_summary_chunk": Missing("a summary arrives complete, in `compaction_update`"),
        "plan_removed": Missing("a session has one plan, which is replaced"),
        "subagent_update": _NO_SUBAGENTS,
        "session_message": _NO_SUBAGENTS,
        "session_message_chunk": _NO_SUBAGENTS,
    },
    "content of a prompt": {
        "text": _BLOCKS,
        "image": _BLOCKS,
        "resource_link": _BLOCKS,
        "resource": _BLOCKS,
        "audio": Missing("audio is not supported; a prompt with audio is rejected"),
    },
    "content of a tool call": {
        "content": _OUTPUT,
        "diff": _tested(_CORE + "test_updates.py", "test_an_update_is_one_diff_per_hunk"),
        "terminal": _tested(_ACP + "test_turns.py", "test_a_terminal_shows_the_output_of_a_command"),
    },
    "kinds of tool calls": {
        "read": _tested(_ACP + "test_coverage.py", "test_a_read_only_command_has_the_matching_kind"),
        "search": _tested(_ACP + "test_coverage.py", "test_a_read_only_command_has_the_matching_kind"),
        "execute": _OUTPUT,
        "edit": _PATCH,
        "delete": _PATCH,
        "move": _PATCH,
        "fetch": _tested(_CORE + "test_updates.py", "test_plans_and_searches"),
        "other": _FORMS,
        "think": Missing("thoughts are `agent_thought_chunk` updates"),
        "switch_mode": Missing("only the user changes the mode"),
    },
    "states of tool calls": {
        "pending": _OPTIONS,
        "in_progress": _OUTPUT,
        "completed": _OUTPUT,
        "failed": _tested(
            _CORE + "test_sessions.py", "test_a_call_that_is_open_when_its_turn_ends_has_failed"
        ),
    },
    "answers to a permission": {
        "allow_once": _OPTIONS,
        "allow_always": _OPTIONS,
        "reject_once": _OPTIONS,
        "reject_always": Missing("rules that forbid belong in the settings"),
    },
    "stop reasons": {
        "end_turn": _ENDED,
        "cancelled": _ENDED,
        "max_tokens": _ENDED,
        "max_turn_requests": _ENDED,
        "refusal": Missing(
            "it would mean that the prompt is forgotten, but a refusal is a message and stays in the history"
        ),
    },
    "capabilities of the client": {
        "fs.readTextFile": _EDITOR,
        "fs.writeTextFile": _EDITOR,
        "auth.terminal": _TERMINAL_LOGIN,
        "elicitation.form": _FORMS,
        "elicitation.url": _PAGES,
        "session.compaction": _BY_DECLARATION,
        "session.notices": _BY_DECLARATION,
        "plan": _BY_DECLARATION,
        "session.configOptions": Missing("none of the options is a boolean"),
        "terminal": _OWN_SANDBOX,
        "subagents": _NO_SUBAGENTS,
    },
    "capabilities of the agent": {
        "loadSession": _LOADED,
        "promptCapabilities.image": _BLOCKS,
        "promptCapabilities.embeddedContext": _BLOCKS,
        "mcpCapabilities.http": _tested(_ACP + "test_coverage.py", "test_a_server_over_http_is_used"),
        "sessionCapabilities.list": _LISTED,
        "sessionCapabilities.delete": _LISTED,
        "sessionCapabilities.close": _LISTED,
        "sessionCapabilities.resume": _RESUMED,
        "sessionCapabilities.additionalDirectories": _DIRECTORIES,
        "sessionCapabilities.systemPrompt": _tested(
            _ACP + "test_sessions.py", "test_the_clients_system_prompt_is_sent_to_the_model"
        ),
        "auth.logout": _tested(_ACP + "test_authentication.py", "test_a_logout_deletes_the_saved_key"),
        "promptCapabilities.audio": Missing("audio is not supported"),
        "mcpCapabilities.sse": Missing("HTTP+SSE is deprecated in MCP; streamable HTTP replaces it"),
        "mcpCapabilities.acp": _UNSTABLE,
        "auth.status": _UNSTABLE,
        "providers": _UNSTABLE,
        "sessionCapabilities.archive": _UNSTABLE,
        "sessionCapabilities.fork": _UNSTABLE,
        "sessionCapabilities.status": _UNSTABLE,
        "sessionCapabilities.title": _UNSTABLE,
    },
    "authentication methods": {
        "agent": _tested(
            _ACP + "test_authentication.py",
            "test_terminal_login_is_offered_only_to_clients_with_a_terminal",
        ),
        "terminal": _TERMINAL_LOGIN,
    },
    "options": {
        "select": _CHANGES,
        "boolean": Missing("none of the options is a boolean"),
    },
}
