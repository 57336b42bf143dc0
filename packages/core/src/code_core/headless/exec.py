"""`code exec`: one prompt, one turn, no questions.

Progress goes to stderr and only the final message to stdout; with JSON, one event per line
goes to stdout. Anything that needs approval is denied immediately.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import anyio
import anyio.to_thread

from code_core.config.load import NO_OVERRIDES, Config, ConfigOverrides
from code_core.context.git import repository_root
from code_core.errors import ConfigError
from code_core.frozen import frozen
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import ErrorEvent, EventMsg, TaskComplete, TurnAborted
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import (
    ExecApproval,
    InputItem,
    Interrupt,
    LocalImageInput,
    PatchApproval,
    ResolveElicitation,
    Shutdown,
    TextInput,
    UserInput,
)
from code_core.protocol.policies import CollaborationMode, ReadOnly, ReviewDecision
from code_core.protocol.question_events import PlanProposed
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.opening import Last
from code_core.signals import ending_signals
from code_core.view.plan_tags import WithoutPlanTags
from code_core.view.printer import HumanPrinter
from code_core.view.visible import readable, visible

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
DENIED_ADVICE = (
    "denied, because code exec cannot ask; --full-auto allows changes below the working directory, "
    "--dangerously-bypass-approvals-and-sandbox allows everything"
)
_SERVER_PROMPT = re.compile(r"/(mcp:[\w:-]+)(?:\s+(.*))?", re.DOTALL)
HOW_TO_ACCEPT = 'nothing was changed; to carry the plan out: code exec resume {} --no-plan --full-auto "Carry out the plan."'


@frozen
class ExecOptions:
    """The options of one run.

    Attributes:
        last_message_file: a file for a copy of the final message.
        output_schema: a file with the JSON Schema of the final message.
        skip_git_check: allow writing outside a git repository.
        resume: the stored session to continue; None starts a new one.
        show_diff: print the turn's diff at the end.
    """

    prompt: str
    images: tuple[Path, ...] = ()
    overrides: ConfigOverrides = NO_OVERRIDES
    as_json: bool = False
    last_message_file: Path | None = None
    output_schema: Path | None = None
    skip_git_check: bool = False
    resume: Last | str | None = None
    show_diff: bool = False


async def run_exec(options: ExecOptions) -> int:
    """Run the turn and return the exit code: 0 for success, 1 for failure, 130 if interrupted.

    Raises:
        ConfigError: the settings or options are invalid; nothing has run.
    """
    schema = _read_schema(options.output_schema) if options.output_schema else None
    for image in options.images:
        await anyio.to_thread.run_sync(_check_image, image)
    if options.last_message_file is not None:
        _check_destination(options.last_message_file)
    with ConversationManager() as manager:
        return await _run(manager, options, schema)


async def _run(manager: ConversationManager, options: ExecOptions, schema: dict[str, Any] | None) -> int:
    parts = Parts(source="exec")
    if options.resume is None:
        conversation = await manager.new(options.overrides, parts)
    else:
        conversation = await manager.resume(options.resume, options.overrides, parts)
    try:
        if not options.skip_git_check:
            _check_repository(conversation.config)
    except ConfigError:
        await conversation.discard()
        raise
    async with conversation, anyio.create_task_group() as tasks:
        typed = await _typed(conversation, options.prompt)
        tasks.start_soon(_interrupt_on_signal, conversation, tasks.cancel_scope)
        images: list[InputItem] = [LocalImageInput(path=path.absolute()) for path in options.images]
        prompt = UserInput(items=[*images, *typed], output_schema=schema)
        await conversation.submit(prompt)
        code = await _follow(conversation, options)
        tasks.cancel_scope.cancel()
        return code
    return INTERRUPTED


async def _typed(conversation: Conversation, prompt: str) -> Sequence[InputItem]:
    """Return the input for a prompt: its text or, for a command `/mcp:SERVER:NAME`, what the server returns.

    Raises:
        ConfigError: the server does not have the prompt, or does not return it.
    """
    if (command := _SERVER_PROMPT.fullmatch(prompt.strip())) is None:
        return [TextInput(text=prompt)]
    from code_core.context.server_prompts import BadPromptCommand
    from code_core.session.servers.prompts import fetch_server_prompt

    try:
        return await fetch_server_prompt(conversation, command[1], (command[2] or "").strip())
    except BadPromptCommand as problem:
        raise ConfigError(str(problem)) from None


async def _follow(conversation: Conversation, options: ExecOptions) -> int:
    """Print events until the conversation has shut down."""
    printer = HumanPrinter(sys.stderr.write, color=use_color(sys.stderr), messages=True)
    code, hint = FAILED, ""
    plan_tags = WithoutPlanTags()
    async for event in conversation.events():
        shown = plan_tags.events(event.msg)
        if options.as_json:
            if sys.__stdout__ is not None:
                print(event.to_json(), flush=True)
        else:
            for msg in shown:
                printer.show(msg)
        await _deny(conversation, event.msg)
        match shown:
            case [PlanProposed()] if event.id != "0" and not options.overrides.ephemeral:
                hint = "" if options.as_json else HOW_TO_ACCEPT.format(conversation.id)
                continue
            case [TaskComplete(last_agent_message=message)]:
                if options.show_diff and not options.as_json:
                    printer.show_diff()
                code = DONE if _deliver(message or "", options) else FAILED
            case [ErrorEvent()]:
                code = FAILED
            case [TurnAborted()]:
                code = INTERRUPTED
            case _:
                continue
        await conversation.submit(Shutdown())
    if hint:
        print(hint, file=sys.stderr)
    return code


async def _deny(conversation: Conversation, msg: EventMsg) -> None:
    match msg:
        case ExecApprovalRequest(approval_id=approval_id):
            await conversation.submit(ExecApproval(id=approval_id, decision=ReviewDecision.DENIED))
        case ApplyPatchApprovalRequest(approval_id=approval_id):
            await conversation.submit(PatchApproval(id=approval_id, decision=ReviewDecision.DENIED))
        case ElicitationRequest(id=question):
            await conversation.submit(ResolveElicitation(id=question, action="decline"))
            print("declined, because code exec cannot ask", file=sys.stderr)
            return
        case _:
            return
    print(DENIED_ADVICE, file=sys.stderr)


def _deliver(message: str, options: ExecOptions) -> bool:
    """Write the final message where it was requested; return whether that succeeded."""
    on_screen = sys.stdout.isatty() and sys.stderr.isatty()  # then it has already been shown
    closed = sys.__stdout__ is None  # allowed only with a file for the message
    if not options.as_json and not on_screen and not closed:
        print(readable(message) if sys.stdout.isatty() else message, flush=True)
    if options.last_message_file is not None:
        try:
            options.last_message_file.write_text(message + "\n", encoding="utf-8")
        except OSError as error:
            path = visible(str(options.last_message_file))
            print(f"{path} cannot be written: {error.strerror}", file=sys.stderr)
            return False
    return True


async def _interrupt_on_signal(conversation: Conversation, scope: anyio.CancelScope) -> None:
    """Interrupt the turn on the first signal and end the run on the second."""
    with anyio.open_signal_receiver(*ending_signals()) as signals:
        interrupted = False
        async for _ in signals:
            if interrupted:
                scope.cancel()
                return
            interrupted = True
            await conversation.submit(Interrupt())


def _check_repository(config: Config) -> None:
    """Refuse to change files that git does not track."""
    is_planning = config.collaboration_mode is CollaborationMode.PLAN
    if (
        not (is_planning or isinstance(config.sandbox_policy, ReadOnly))
        and repository_root(config.cwd) is None
    ):
        raise ConfigError(
            f"{config.cwd} is not in a git repository: run code exec in one, where git records what "
            "changes, or use --skip-git-repo-check"
        )


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"--output-schema {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"--output-schema {path} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ConfigError(f"--output-schema {path} is not a JSON object")
    return schema


def _check_image(path: Path) -> None:
    from code_core.context.user_input import local_image
    from code_core.wire.images import NotAnImage

    try:
        local_image(path)
    except NotAnImage as problem:
        raise ConfigError(f"-i {problem}") from None


def _check_destination(path: Path) -> None:
    """Reject an unusable output file before the model is asked."""
    if path.is_dir():
        raise ConfigError(f"-o {path} is a directory: name a file")
    if not path.parent.is_dir():
        raise ConfigError(f"-o {path} cannot be written: {path.parent} is not a directory")


def use_color(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that supports colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
