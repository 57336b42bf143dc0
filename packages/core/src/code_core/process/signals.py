"""The signals that ask a program to end."""

import signal

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return SIGINT, SIGTERM and SIGHUP, without those that this process was started to ignore.

    `nohup` ignores SIGHUP, and a script ignores SIGINT for its background jobs.
    """
    numbers = (signal.Signals[name] for name in _ENDING if hasattr(signal, name))
    return tuple(number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN)
