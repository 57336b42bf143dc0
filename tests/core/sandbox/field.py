"""The environment for attacks: directories, local services and victims."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import psutil
import pytest

from code_core.protocol.policies import WorkspaceWrite
from code_core.sandbox.confinement import Confinement, confinement_of
from code_core.sandbox.placeholders import placeholders
from code_core.sandbox.sandbox import Sandbox
from code_core.sandbox.writable import writable_roots
from core.sandbox.attacks.attack import Attack

RUNNER = Path(__file__).with_name("attacks") / "runner.py"
STREAMS = ("stream", "ssh-agent", "docker.sock", "bus", "X0", "wayland-0", "work/agent.sock", "work/tmux")
WITH_TREES = frozenset({"settings", "own files", "git", "all of git"})
SECONDS = 120


class Field:
    """A directory with a writable and a read-only part, each with a subdirectory for every attack."""

    def __init__(self, attacks: Iterable[Attack], user: int | None, stack: ExitStack) -> None:
        self.user = user
        self.attacks = list(attacks)
        self.base = Path(tempfile.mkdtemp(prefix="code-attacks-"))
        stack.callback(shutil.rmtree, self.base, ignore_errors=True)
        self._stack = stack
        for attack in self.attacks:
            self._lay_out(attack)
        (self.base / "output").mkdir()
        self._open_services()
        self.base.chmod(0o755)
        if user is not None:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, user, user, follow_symlinks=False)
        victims = {one.ident: self._victim() for one in self.attacks if one.native or "victim" in one.program}
        table = [
            [one.ident, one.program, one.native, victims.get(one.ident, 0), self.port] for one in self.attacks
        ]
        (self.base / "attacks.json").write_text(json.dumps(table))
        (self.base / "attacks.json").chmod(0o644)

    def run(
        self, python: str, native: Path, sandbox: Sandbox | None, confinement: Confinement
    ) -> dict[str, str | None]:
        """Why each attack failed, by its name; None if it succeeded."""
        argv = [python, "-I", "-S", "-c", RUNNER.read_text(), str(self.base), str(native)]
        environment = {"PATH": "/usr/bin:/bin"}
        with ExitStack() as stack:
            begin = stack.enter_context(ExitStack())
            fds: tuple[int, ...] = ()
            for name, flags in (
                ("outside", os.O_RDONLY | os.O_DIRECTORY),
                ("inherited", os.O_WRONLY | os.O_CREAT),
            ):
                fd = os.open(self.base / name, flags)
                stack.callback(os.close, fd)
                os.set_inheritable(fd, True)
            if sandbox is not None:
                ready = stack.enter_context(placeholders(confinement)) if sandbox.protects else confinement
                launch = begin.enter_context(sandbox.confined(argv, ready, self.base / "work", environment))
                argv, environment, fds = launch.argv, launch.environment, launch.fds
            process = subprocess.Popen(
                argv,
                env=environment,
                cwd=self.base / "work",
                pass_fds=fds,
                close_fds=sandbox is not None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                **as_user(self.user),
            )
            with acting_for(self.user):
                begin.close()
            printed, problem = process.communicate(timeout=SECONDS)
        assert printed, problem
        results = json.loads(printed)
        return {one.ident: self._outcome(one, *results[one.ident]) for one in self.attacks}

    def confinement(self, monkeypatch: pytest.MonkeyPatch) -> Confinement:
        """The permissions that the agent grants for the directories of all attacks together."""
        replaced = [Path(one.ident) / "replaced" for one in self.attacks if one.group == "files"]
        roots = WorkspaceWrite(exclude_slash_tmp=True, writable_roots=replaced)
        writable = writable_roots(roots, self.base / "work", {})
        parts = [Confinement((self.base / "output", *writable))]
        if self.user is not None:
            monkeypatch.setattr("code_core.sandbox.git_directories.os.getuid", lambda: self.user)
        for attack in self.attacks:
            if attack.group in WITH_TREES:
                work = self.base / "work" / attack.ident
                own = (work / "agent/lib", work / "agent/bin") if attack.group == "own files" else ()
                monkeypatch.setattr("code_core.sandbox.protected.own_files", lambda own=own: own)
                policy = WorkspaceWrite(
                    exclude_slash_tmp=True,
                    writable_roots=[Path("sub"), Path("tree")],
                    allow_git_writes=not attack.shut,
                )
                parts.append(confinement_of(policy, work, work / "homes/mine", {}))
        return reduce(_both, parts)

    def _outcome(self, attack: Attack, code: int, problem: str) -> str | None:
        match attack.proof:
            case None:
                through = code == 0
            case "process":
                through = _killed_survivors(self.base.name + attack.ident)
            case path:
                proof = Path(path.format(token=self.base.name + attack.ident))
                through = proof.exists()
                proof.unlink(missing_ok=True)
        return None if through else problem.strip() or f"exit code {code}"

    def _victim(self) -> int:
        victim = subprocess.Popen(
            ["sleep", "600"],
            env={"SECRET": "x"},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            **as_user(self.user),
        )
        self._stack.callback(victim.wait)
        self._stack.callback(victim.kill)
        return victim.pid

    def _open_services(self) -> None:
        for name in (*STREAMS, None):
            listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(self.base / name) if name else f"\0{self.base}")
            listener.listen()
        for name in ("datagram", "log"):
            receiver = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            receiver.bind(str(self.base / name))
        self.port = self._stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]

    def _lay_out(self, attack: Attack) -> None:
        work, outside = self.base / "work" / attack.ident, self.base / "outside" / attack.ident
        for folder in (work, outside / "empty"):
            folder.mkdir(parents=True)
        for file in (work / "file", outside / "file", outside / "marked"):
            file.write_text("x")
        with suppress(OSError):  # not every file system has attributes
            os.setxattr(outside / "marked", "user.x", b"x")
        if attack.group == "files":
            os.mkfifo(outside / "pipe")
            (work / "replaced").symlink_to(outside)
        if attack.group == "persistence":
            for name in ("ssh", "config/autostart", "config/systemd/user", "local/bin"):
                (outside / f"home/.{name}").mkdir(parents=True)
        if attack.group in WITH_TREES:
            _make_tree(work, closed=attack.shut)
            (outside / "repo/.git").mkdir(parents=True)


def as_user(user: int | None) -> dict[str, Any]:
    """Arguments of `subprocess.Popen`."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


@contextmanager
def acting_for(user: int | None) -> Iterator[None]:
    """Take the real user and group of an agent that `user` runs, which the kernel compares when limits are set."""
    if user is None:
        yield
        return
    os.setresgid(user, -1, -1)
    os.setresuid(user, -1, -1)
    try:
        yield
    finally:
        os.setresuid(0, -1, -1)
        os.setresgid(0, -1, -1)


def _make_tree(work: Path, *, closed: bool) -> None:
    for name in (".code/rules", "sub", "homes/mine", "agent/lib", "tree"):
        (work / name).mkdir(parents=True)
    for name in (".code/rules/old.toml", "homes/mine/config.toml", "agent/lib/code.py", "agent/bin"):
        (work / name).write_text("")
    repositories = [
        ".git",
        ".git/modules/m",
        "nested/.git",
        "headless/.git",
        *(["a/b/c/.git"] if closed else []),
    ]
    for name in repositories:
        for part in ("objects", "refs/heads", "hooks"):
            (work / name / part).mkdir(parents=True)
        (work / name / "HEAD").write_text("ref: refs/heads/main\n")
        (work / name / "config").write_text("")
    (work / "headless/.git/HEAD").unlink()
    for name in ("scripts/hook", "dotfiles/prompts", "included"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("")
    (work / ".git/hooks/linked").symlink_to("../../scripts/hook")
    (work / ".git/config").write_text("[include]\n path = ../included\n")
    (work / "homes/mine/prompts").symlink_to(work / "dotfiles/prompts")
    for name in ("tree", "other"):
        own = work / ".git/worktrees" / name
        own.mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/tree\n")
        (own / "commondir").write_text("../..\n")
        (own / "gitdir").write_text(f"{work}/{name}/.git\n")
    (work / "tree/.git").write_text(f"gitdir: {work}/.git/worktrees/tree\n")


def _both(one: Confinement, other: Confinement) -> Confinement:
    return replace(
        one,
        writable=(*one.writable, *other.writable),
        protected=(*one.protected, *other.protected),
        absent=(*one.absent, *other.absent),
        links=(*one.links, *other.links),
        own=(*one.own, *other.own),
    )


def _killed_survivors(mark: str) -> bool:
    """Whether a process of the attack still runs; it is killed."""
    found = False
    until = time.monotonic() + 1
    while time.monotonic() < until:
        left = [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]
        for process in left:
            with suppress(psutil.Error):
                found = found or process.status() != psutil.STATUS_ZOMBIE
                process.kill()
        if not left and not found:
            return False
        time.sleep(0.05)
    return found
