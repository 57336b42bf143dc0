"""Environment variables that keep programs from waiting for input at a terminal."""

from collections.abc import Collection, Mapping

# With `true` as editor, the text stays unchanged: an empty commit message fails at once, an amended one is kept.
_EDITORS = ("EDITOR", "VISUAL", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR")
_PAGERS = ("PAGER", "GIT_PAGER", "MANPAGER", "GH_PAGER", "SYSTEMD_PAGER")
NON_INTERACTIVE: Mapping[str, str] = {
    **dict.fromkeys(_EDITORS, "true"),
    **dict.fromkeys(_PAGERS, "cat"),
    "GIT_TERMINAL_PROMPT": "0",
}


def non_interactive(environment: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """Return `environment` with non-interactive editors, pagers and prompts, except for variables in `keep`."""
    return {**environment, **{name: value for name, value in NON_INTERACTIVE.items() if name not in keep}}
