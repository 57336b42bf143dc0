import subprocess
import sys

import pytest

from code_process_hardening.environment import has_loader_names, unsafe_names
from code_process_hardening.startup import registered_module

PROXY = "code_responses_api_proxy"


@pytest.mark.parametrize(
    ("original", "arguments", "module"),
    [
        (
            ["python", "/x/bin/code-responses-api-proxy", "-p"],
            ["/x/bin/code-responses-api-proxy", "-p"],
            PROXY,
        ),
        (["python", "-I", "codex-responses-api-proxy"], ["codex-responses-api-proxy"], PROXY),
        (["python", "code-responses-api-proxy.exe"], ["code-responses-api-proxy.exe"], PROXY),
        (["python", "-m", PROXY, "--port", "1"], ["-m", "--port", "1"], PROXY),
        (["python", "-I", "-m", PROXY], ["-m"], PROXY),
        (["python", f"-Im{PROXY}", "x"], ["-m", "x"], PROXY),
        (["python", "-m", "timeit", PROXY], ["-m", PROXY], None),
        (["python", "tool.py", "code-responses-api-proxy"], ["tool.py", "code-responses-api-proxy"], None),
        (["python", "renamed"], ["renamed"], None),
        (["python", "-c", f"import {PROXY}"], ["-c"], None),
        (["python", f"{PROXY}.py"], [f"{PROXY}.py"], None),
        (["python"], [""], None),
        ([], [], None),
    ],
)
def test_only_a_registered_program_is_chosen(
    original: list[str], arguments: list[str], module: str | None
) -> None:
    assert registered_module(original, arguments) == module


def test_variables_that_survive_a_restart_do_not_cause_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [b"LD_LIBRARY_PATH", b"HOME"]
    assert has_loader_names(unsafe_names(names))
    assert not has_loader_names(unsafe_names(names, allow=["LD_LIBRARY_PATH"]))
    script = (
        "from code_process_hardening.restart import is_isolated; print(is_isolated(), is_isolated(['LD_X']))"
    )
    command = [sys.executable, "-I", "-X", "disable-remote-debug", "-c", script]
    monkeypatch.setenv("LD_X", "1")
    assert subprocess.check_output(command, text=True) == "False True\n"
