"""The checks of `code doctor`."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib import metadata
from pathlib import Path

import anyio

from code_cli.disk import try_disk
from code_cli.mcp_probe import probe
from code_core.config.load import Config, ConfigOverrides, load_config
from code_core.config.schema.servers import McpServerTable
from code_core.errors import CodeError, ConfigError
from code_core.model.providers import Provider
from code_core.model.reach import reach
from code_core.model.saved_keys import SavedKeys, where_the_key_is
from code_core.sandbox.detection import detect
from code_core.validation.tools import CHECKERS
from code_mcp_client import McpClientError

HARDENING_SECONDS = 10


class State(StrEnum):
    """The result of a check; only `BROKEN` stops the agent."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, with a line for each finding."""

    name: str
    state: State
    details: tuple[str, ...]


async def all_checks(overrides: ConfigOverrides) -> list[Check]:
    """Run every check, slow ones concurrently; those that need the settings run only if they can be read."""
    checks = [_python(), _terminal(), _git(), _checkers(), await anyio.to_thread.run_sync(_hardening)]
    checks.append(await anyio.to_thread.run_sync(_sandbox))
    try:
        config = load_config(overrides)
    except ConfigError as error:
        return [*checks, Check("settings", State.BROKEN, (str(error),))]
    slow = [partial(_provider, config.provider)]
    slow += [partial(_server, name, table, config.cwd) for name, table in config.mcp_servers.items()]
    return [
        *checks,
        _settings(config),
        await anyio.to_thread.run_sync(_disk, config),
        _key(config.provider, SavedKeys(config.home.path)),
        *await _together(slow),
    ]


async def _together(checks: Sequence[Callable[[], Awaitable[Check]]]) -> list[Check]:
    done: dict[int, Check] = {}

    async def run(number: int) -> None:
        done[number] = await checks[number]()

    async with anyio.create_task_group() as group:
        for number in range(len(checks)):
            group.start_soon(run, number)
    return [done[number] for number in sorted(done)]


def _python() -> Check:
    lines = (
        f"code {metadata.version('code-cli')} on Python {platform.python_version()}, {sys.executable}",
        f"{platform.system()} {platform.release()}, {platform.machine()}",
    )
    return Check("python", State.OK, lines)


def _terminal() -> Check:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Check("terminal", State.OK, ("stdin or stdout is not a terminal",))
    size = shutil.get_terminal_size()
    colours = "without colours (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("COLORTERM", "")
    kind, encoding = os.environ.get("TERM", ""), sys.stdout.encoding
    seen = ", ".join(part for part in (kind, f"{size.columns} x {size.lines}", encoding, colours) if part)
    if kind in {"", "dumb"}:
        return Check("terminal", State.WARNING, (seen, "TERM names a terminal that cannot move its cursor"))
    if encoding.lower().replace("-", "") != "utf8":
        return Check("terminal", State.WARNING, (seen, "not UTF-8: set LANG, or PYTHONUTF8=1"))
    return Check("terminal", State.OK, (seen,))


def _git() -> Check:
    git = shutil.which("git")
    if git is None:
        return Check("git", State.WARNING, ("not on PATH: the agent cannot run git commands",))
    return Check("git", State.OK, (git,))


def _checkers() -> Check:
    found = [one.name for one in CHECKERS if shutil.which(one.arguments[0])]
    return Check("checkers", State.OK, (f"for patches: {', '.join(found) or 'none on PATH'}",))


def _hardening() -> Check:
    """In a separate process, because hardening cannot be undone."""
    code = "from code_process_hardening import harden; report = harden(); print(report); exit(not report.complete)"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=HARDENING_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("hardening", State.BROKEN, (str(error),))
    lines = tuple((done.stdout + done.stderr).splitlines()) or (f"exit code {done.returncode}",)
    match done.returncode:
        case 0:
            return Check("hardening", State.OK, lines)
        case 1 if done.stdout:
            return Check("hardening", State.WARNING, lines)
        case _:
            return Check("hardening", State.BROKEN, lines)


def _sandbox() -> Check:
    detection = detect()
    best = detection.findings[0].sandbox if detection.findings else None
    return Check("sandbox", State.WARNING if best is None else State.OK, tuple(str(detection).splitlines()))


def _settings(config: Config) -> Check:
    path = config.home.config_file
    where = f"{path}" if path.exists() else f"{path} does not exist, so all settings have their defaults"
    lines = (
        where,
        f"model {config.model}, provider {config.provider.id}",
        f"approval policy {config.approval_policy}, sandbox {config.sandbox_policy.mode}",
        *config.warnings,
    )
    return Check("settings", State.WARNING if config.warnings else State.OK, lines)


def _disk(config: Config) -> Check:
    """Check disk space: sessions are lost if the home directory is not writable, and many commands need temporary files."""
    state, lines = State.OK, []
    for directory, name in ((config.home.path, "home"), (Path(tempfile.gettempdir()), "temporary directory")):
        report = try_disk(directory)
        free = "" if report.free is None else f", {report.free / 2**20:,.0f} MiB free"
        problem = "" if report.problem is None else f" cannot be written: {report.problem}"
        lines.append(f"{name} {directory}{problem}{free}")
        if report.problem is not None:
            state = State.BROKEN
        elif report.is_scarce and state is State.OK:
            state = State.WARNING
    return Check("disk", state, tuple(lines))


def _key(provider: Provider, saved: SavedKeys) -> Check:
    try:
        where = where_the_key_is(provider, saved)
        if where is None:
            provider.api_key(os.environb)  # says what is missing
        provider.headers(os.environb)
    except ConfigError as error:
        return Check("key", State.BROKEN, (str(error),))
    return Check("key", State.OK, (str(where),))


async def _provider(provider: Provider) -> Check:
    name = "provider"
    if provider.replay_scenario is not None:
        return Check(name, State.OK, (f"replay of {provider.replay_scenario}",))
    try:
        answer = await reach(provider)
    except CodeError as error:
        return Check(name, State.BROKEN, (str(error),))
    return Check(name, State.OK, (f"{provider.base_url} {answer}",))


async def _server(name: str, table: McpServerTable, cwd: Path) -> Check:
    title = f"mcp {name}"
    try:
        server = await probe(name, table, cwd)
    except McpClientError as error:
        return Check(title, State.BROKEN, (str(error),))
    return Check(
        title, State.OK, (f"{server.about}: {len(server.tools)} tools after {server.listed * 1e3:.0f} ms",)
    )
