"""Programs that run a command given after their own options and arguments."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from code_core.frozen import frozen
from code_core.safety.options import Options, long_names

MOST_STARTS = 16
"""Number of words tried as the start of an unknown wrapper's command."""


@frozen
class Wrapper:
    """How to find the command of a wrapper.

    Attributes:
        options: its options; None if there are too many, or too many variants.
        operands: the number of arguments between its options and the command.
    """

    options: Options | None = None
    operands: int = 0


def _listed(valued: str, valued_long: str, flags: str, flags_long: str, operands: int = 0) -> Wrapper:
    return Wrapper(Options(valued, long_names(valued_long), flags, long_names(flags_long)), operands)


_UNLISTED = Wrapper()
_PLAIN = _listed("", "", "", "help version")

# From the manuals of coreutils 9, findutils 4.9, util-linux 2.39, sudo 1.9 and OpenDoas 6.8. Options with a
# different meaning elsewhere (BSD) are omitted, so that every position is tried if they occur.
WRAPPERS: dict[str, Wrapper] = {
    "builtin": _PLAIN,
    "chronic": _listed("", "", "ev", ""),
    "command": _listed("", "", "pvV", ""),
    "doas": _listed("uC", "", "nLs", ""),
    "env": _listed(
        "uCa",
        "unset chdir argv0",
        "i0v",
        "ignore-environment null debug block-signal default-signal ignore-signal",
    ),
    "exec": _listed("a", "", "cl", ""),
    "ionice": _listed("cnpPu", "class classdata pid pgid uid", "t", "ignore"),
    "nice": _listed("n", "adjustment", "0123456789", ""),
    "nohup": _PLAIN,
    "setsid": _listed("", "", "cfw", "ctty fork wait"),
    "stdbuf": _listed("ioe", "input output error", "", ""),
    "sudo": _listed(
        "ugpCDRrtThU",
        "user group prompt close-from chdir chroot role type command-timeout host other-user",
        "AbEHiKklnPSsVv",
        "askpass background preserve-env set-home login remove-timestamp reset-timestamp list non-interactive "
        "preserve-groups stdin shell version validate",
    ),
    "time": _listed("fo", "format output", "apvV", "append portability verbose quiet"),
    "timeout": _listed("ks", "kill-after signal", "vfp", "foreground preserve-status verbose", 1),
    "xargs": _listed(
        "adEILnPs",
        "arg-file delimiter max-args max-procs max-chars process-slot-var",
        "0prtxo",
        "null no-run-if-empty interactive verbose exit open-tty show-limits eof replace max-lines",
    ),
} | dict.fromkeys(
    "busybox caffeinate dbus-run-session entr spawn valgrind choom chroot chrt direnv dumb-init fakeroot firejail flatpak flock gosu linux32 linux64 "
    "ltrace mise nocorrect noglob nsenter numactl parallel pkexec prlimit proot rbenv repeat runuser script "
    "setarch setpriv ssh start-stop-daemon strace su su-exec systemd-inhibit systemd-run taskset tini toybox uclampset "
    "unbuffer unshare watch winpty xvfb-run asdf pyenv nodenv abduco autossh bwrap catchsegv cgexec chpst chruby-exec clush "
    "coreutils cpulimit cross-env daemon daemonize distrobox dsh dtach eatmydata env-cmd envchain envdir fakechroot faketime "
    "flatpak-spawn heroku ifne incus lxc machinectl mosh multitime nerdctl nox nq pdsh pexec proxychains proxychains4 "
    "pssh reflex rlwrap rsh rtx run-one rvm s6-setuidgid sem setuidgid shx sshpass systemd-nspawn task-spooler teller toolbox torify "
    "torsocks tox trickle ts tsocks tsp turbo uutils zellij ld.so ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 "
    "ld-musl-x86_64.so.1 ld-musl-aarch64.so.1".split(),
    _UNLISTED,
)


def wrapped(name: str, arguments: Sequence[str], may_begin: Callable[[str], bool]) -> Iterator[Sequence[str]]:
    """Yield the commands that the wrapper `name` may run: one if its options are known, otherwise one per position.

    `may_begin` says whether a command can begin with a word.
    """
    wrapper = WRAPPERS.get(name, _UNLISTED)
    end = None if wrapper.options is None else wrapper.options.end(arguments)
    if end is not None:
        yield arguments[end + wrapper.operands :]
        return
    starts = (start for start, word in enumerate(arguments) if may_begin(word))
    for start in islice(starts, MOST_STARTS):
        yield arguments[start:]
