"""Builds profiles for macOS's `sandbox-exec` (sandbox(7)), in Apple's SBPL."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from code_core.process.guardian import start_guarded
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.sandbox import Launch, Mechanism, Sandbox, sandbox_environment

SANDBOX_EXEC = "/usr/bin/sandbox-exec"

_BASE = """\
(version 1)
(deny default)
(allow process-exec)
(allow process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow file-read*)
(allow file-ioctl (regex #"^/dev/tty.*"))
(allow file-write-data (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty"))
(allow pseudo-tty)
(allow ipc-posix-sem)
(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))
"""
_NETWORK = """\
(allow network-outbound (remote ip))
(allow network-bind (local ip))
(allow network-inbound (local ip))
(allow system-socket)
(allow mach-lookup
  (global-name "com.apple.SystemConfiguration.configd")
  (global-name "com.apple.networkd")
  (global-name "com.apple.trustd.agent"))
"""


def seatbelt_profile(confinement: Confinement) -> str:
    """Return the profile: all but hidden paths are readable, and only what `confinement` names is writable."""
    lines = [_BASE]
    lines += [f"(deny file-read* (subpath {_quoted(path)}))\n" for path in confinement.hidden]
    for root in confinement.writable:
        shut = (*confinement.protected, *confinement.absent)
        closed = [path for path in shut if path.is_relative_to(root)]
        excepted = "".join(f" (require-not (subpath {_quoted(path)}))" for path in closed)
        lines.append(f"(allow file-write* (require-all (subpath {_quoted(root)}){excepted}))\n")
    # Renaming or replacing one of these would move a protected path. The last matching rule applies.
    lines += [
        f"(deny file-write-unlink (literal {_quoted(path)}))\n"
        for path in (*confinement.pinned(), *confinement.links)
    ]
    if confinement.network:
        lines.append(_NETWORK)
    return "".join(lines)


class Seatbelt(Sandbox):
    """Confines commands with macOS's own sandbox."""

    mechanism: Mechanism = "seatbelt"
    protects = True

    @contextmanager
    def confined(
        self,
        argv: Sequence[str],
        confinement: Confinement,
        cwd: Path,  # noqa: ARG002 - inherited from the starting process
        environment: Mapping[str, str],
    ) -> Iterator[Launch]:
        """See `Sandbox.confined`."""
        variables = sandbox_environment(self.mechanism, confinement, environment)
        yield Launch([SANDBOX_EXEC, "-p", seatbelt_profile(confinement), "--", *argv], variables)

    def start(
        self, argv: Sequence[str], confinement: Confinement, cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """See `Sandbox.start`."""
        with self.confined(argv, confinement, cwd, environment) as launch:
            return start_guarded(launch.argv, cwd, launch.environment)


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
