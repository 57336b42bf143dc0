"""The hook that `site` runs before any other code: from the `.pth` file, on 3.15 from the `.start` file.

Only a process that runs a registered program is touched, or one that the environment asks for.
The environment can ask; it cannot forbid.
"""

import os
import sys

TYPE_CHECKING = False  # type checkers take it for true; `collections.abc` costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

REGISTERED = {
    "code-responses-api-proxy": "code_responses_api_proxy",
    "codex-responses-api-proxy": "code_responses_api_proxy",
}
"""Console scripts to harden, and the module that each of them runs."""

SWITCH = "CODE_PROCESS_HARDENING"


def registered_module(original: "Sequence[str]", arguments: "Sequence[str]") -> str | None:
    """The registered module this interpreter is about to run.

    `original` is `sys.orig_argv`; `arguments` is `sys.argv` as it stands at startup: `-m`
    or the script, then the program's own arguments.
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
    """Harden this process if it is one of those; never returns unhardened then."""
    module = registered_module(sys.orig_argv, sys.argv)
    if module is None and os.environ.get(SWITCH) != "1":
        return
    from code_process_hardening.premain import pre_main_hardening

    pre_main_hardening(module)
