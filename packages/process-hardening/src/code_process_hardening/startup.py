"""The hook that `site` runs before any other code: from the `.pth` file, and on 3.15 from the `.start` file.

Only processes that run a registered program, or whose environment requests it, are affected. The environment
can request hardening but not prevent it.
"""

import os
import sys

TYPE_CHECKING = False  # type checkers treat it as true; `collections.abc` costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

REGISTERED = {
    "code-responses-api-proxy": "code_responses_api_proxy",
    "codex-responses-api-proxy": "code_responses_api_proxy",
}
"""Console scripts to harden, and the module that each of them runs."""

SWITCH = "CODE_PROCESS_HARDENING"


def registered_module(original: "Sequence[str]", arguments: "Sequence[str]") -> str | None:
    """Return the registered module that this interpreter is about to run, or None.

    `original` is `sys.orig_argv`; `arguments` is `sys.argv` at startup: `-m` or the script, followed by
    the program's arguments.
    """
    if not arguments or len(original) < len(arguments):
        return None
    program = original[-len(arguments)]
    if arguments[0] == "-m":
        return next(
            (module for module in REGISTERED.values() if program in {module, *_joined(program, module)}), None
        )
    return REGISTERED.get(os.path.basename(program).removesuffix(".exe"))  # noqa: PTH119 - pathlib costs 3 ms here


def _joined(program: str, module: str) -> "tuple[str, ...]":
    """`-Immodule`: the option and the module in one word."""
    return (program,) if program.startswith("-") and program.endswith(f"m{module}") else ()


def run() -> None:
    """Harden this process if it should be; it then never continues unhardened."""
    module = registered_module(sys.orig_argv, sys.argv)
    if module is None and os.environ.get(SWITCH) != "1":
        return
    from code_process_hardening.premain import pre_main_hardening

    pre_main_hardening(module)
