"""Variables that keep programs from waiting for somebody at a terminal."""

from collections.abc import Collection, Mapping

# `true` leaves the text as it is: an empty commit message fails at once, an amended one is kept.
_EDITORS = ("EDITOR", "VISUAL", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR")
_PAGERS = ("PAGER", "GIT_PAGER", "MANPAGER", "GH_PAGER", "SYSTEMD_PAGER")
NON_INTERACTIVE: Mapping[str, str] = {
    **dict.fromkeys(_EDITORS, "true"),
    **dict.fromkeys(_PAGERS, "cat"),
    "GIT_TERMINAL_PROMPT": "0",
}


def non_interactive(environment: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """`environment` with editors, pagers and prompts that return at once, but for the variables in `keep`."""
    return {**environment, **{name: value for name, value in NON_INTERACTIVE.items() if name not in keep}}
