"""Detects the sandbox of this machine, once, by trying it."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from code_core.frozen import frozen
from code_core.process.spawn import SpawnError, start_command
from code_core.sandbox.bubblewrap import Bubblewrap
from code_core.sandbox.bundled import PUBLISHER, bundled_programs, is_known_build
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.landlock import KNOWN_GAPS, OLDEST_ABI, SIGNALS_ABI, SIGNALS_GAP, Landlock
from code_core.sandbox.own_files import SYSTEM_FOLDERS
from code_core.sandbox.sandbox import Mechanism, Sandbox, seccomp_machine
from code_core.sandbox.seatbelt import SANDBOX_EXEC, Seatbelt

TRIAL_SECONDS = 10


@frozen
class Finding:
    """One mechanism: its sandbox, or the reason why it is not available."""

    mechanism: Mechanism
    sandbox: Sandbox | None
    detail: str


@frozen
class Detection:
    """Every mechanism that was tried, best first; those after the first that works are not tried."""

    findings: tuple[Finding, ...]

    @property
    def sandbox(self) -> Sandbox | None:
        """The sandbox in use, or None if commands cannot be confined."""
        return next((found.sandbox for found in self.findings if found.sandbox is not None), None)

    def __str__(self) -> str:
        """One line for each mechanism, for people."""
        lines = [f"{found.mechanism}: {found.detail}" for found in self.findings]
        if self.sandbox is None:
            lines.append(
                "no sandbox: commands need approval, or are rejected if the approval policy is never"
            )
        return "\n".join(lines)


@cache
def detect() -> Detection:
    """Detect the sandbox of this machine; takes about 10 ms the first time."""
    tried: list[Finding] = []
    for finding in _candidates():
        tried.append(finding)
        if finding.sandbox is not None:
            break
    return Detection(tuple(tried))


def find(mechanism: Mechanism) -> Finding:
    """Detect one mechanism on this machine."""
    found = next((finding for finding in _candidates() if finding.mechanism == mechanism), None)
    return found or Finding(mechanism, None, f"not for {sys.platform}")


def _candidates() -> Iterator[Finding]:
    platform: str = sys.platform  # a variable, because type checkers treat it as a constant
    match platform:
        case "linux":
            yield find_bubblewrap(SYSTEM_FOLDERS, bundled_programs())
            yield _find_landlock()
        case "darwin":
            yield _find_seatbelt()
        case _:
            return


def find_bubblewrap(folders: Sequence[Path], bundled: Iterable[Path] = ()) -> Finding:
    """Find bubblewrap in `folders`, or else a known bundled build, and check that it can create namespaces here."""
    bwrap = next((folder / "bwrap" for folder in folders if (folder / "bwrap").is_file()), None)
    origin = ""
    if bwrap is None:
        bwrap = next(iter(bundled), None)
        if bwrap is None:
            return Finding("bwrap", None, "not installed (on Debian and Ubuntu: apt install bubblewrap)")
        if not is_known_build(bwrap):
            return Finding("bwrap", None, f"{bwrap} is not used: its hash is not one of the known builds")
        origin = f" (built by {PUBLISHER}; prefer the system's package)"
    machine = seccomp_machine()
    if machine is None:
        return Finding("bwrap", None, "there is no system call filter for this architecture")
    return _tried(Bubblewrap(str(bwrap), machine), [str(bwrap), "--version"], f"in use: {bwrap}{origin}")


def _find_landlock() -> Finding:
    from code_process_hardening.confinement import landlock_abi  # loads libc bindings, needed only here

    machine = seccomp_machine()
    if machine is None:
        return Finding("landlock", None, "there is no system call filter for this architecture")
    abi = landlock_abi()
    if abi < OLDEST_ABI:
        has = f"version {abi}" if abi else "none"
        return Finding("landlock", None, f"the kernel has {has}, version {OLDEST_ABI} is needed (Linux 6.7)")
    try:
        sandbox = Landlock(machine)
    except ImportError as error:
        return Finding("landlock", None, str(error))
    gaps = KNOWN_GAPS if abi >= SIGNALS_ABI else (*KNOWN_GAPS, SIGNALS_GAP)
    return _tried(sandbox, [sys.executable, "-I", "-S", "-c", ""], f"in use; {'; '.join(gaps)}")


def _find_seatbelt() -> Finding:
    if not Path(SANDBOX_EXEC).exists():
        return Finding("seatbelt", None, f"{SANDBOX_EXEC} is missing")
    return _tried(Seatbelt(), ["/usr/bin/true"], f"in use: {SANDBOX_EXEC}")


def _tried(sandbox: Sandbox, argv: list[str], detail: str) -> Finding:
    """Return `sandbox` as a finding if a harmless command runs in it."""
    try:
        with sandbox.confined(argv, Confinement(), Path("/"), {}) as launch:
            started = start_command(launch.argv, Path("/"), launch.environment, launch.fds)
        with started as trial:
            try:
                _, problem = trial.communicate(timeout=TRIAL_SECONDS)
            finally:
                trial.kill()
    except (OSError, SpawnError, subprocess.TimeoutExpired) as error:
        return Finding(sandbox.mechanism, None, str(error))
    if trial.returncode != 0:
        lines = problem.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {trial.returncode}"
        return Finding(sandbox.mechanism, None, f"does not work here: {reason}")
    return Finding(sandbox.mechanism, sandbox, detail)
