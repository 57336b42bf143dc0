import subprocess
import sys
from pathlib import Path

import pytest

from code_process_hardening import HardeningReport, Outcome, Step, TracerAttachedError, linux, unsupported

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="steps of Linux")


@pytest.mark.parametrize(
    ("status", "pid"),
    [
        ("Name:\tx\nTracerPid:\t42\n", 42),
        ("TracerPid:\t0\n", 0),
        ("Name:\tTracerPid: 7\n", 0),
        ("", 0),
        ("TracerPid:\n", 0),
    ],
)
def test_the_tracer_is_read_from_the_status(status: str, pid: int) -> None:
    assert linux.tracer_pid(status) == pid


def test_a_tracer_is_named_in_the_error(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("TracerPid:\t42\n")
    with pytest.raises(TracerAttachedError, match="process 42"):
        linux.refuse_tracer(str(status))


def test_a_status_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    assert linux.refuse_tracer(str(tmp_path / "absent")).outcome is Outcome.WARNING


def test_a_report_shows_missing_features() -> None:
    report = HardeningReport("win32", unsupported.steps())
    assert not report.complete
    assert str(report).splitlines()[0] == "memory closed to other processes: not available"
    assert str(Step("a", Outcome.DONE, "b")) == "a: done (b)"


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hardening_twice_gives_the_first_report_again() -> None:
    assert (
        run(
            "from code_process_hardening import pre_main_hardening as harden\n"
            "first = harden(); print(harden() is first, first.complete, len(first.steps))"
        )
        == "True True 5\n"
    )


def test_allowed_variables_stay_in_the_environment() -> None:
    assert (
        run(
            "import os\nfrom code_process_hardening import pre_main_hardening\n"
            "os.environ |= {'SSL_CERT_FILE': 'a', 'SSL_CERT_DIR': 'b'}\n"
            "pre_main_hardening(allow={'SSL_CERT_FILE'})\n"
            "print(os.environ.get('SSL_CERT_FILE'), os.environ.get('SSL_CERT_DIR'))"
        )
        == "a None\n"
    )


def test_threads_and_forked_children_are_covered_and_an_executed_program_is_not() -> None:
    assert (
        run(
            "import os, subprocess, sys, threading\n"
            "from code_process_hardening import libc, pre_main_hardening\n"
            "said = []\n"
            "ask = lambda: said.append(libc.prctl(libc.PR_GET_DUMPABLE))\n"
            "go = threading.Event(); thread = threading.Thread(target=lambda: (go.wait(), ask())); thread.start()\n"
            "pre_main_hardening(); go.set(); thread.join()\n"
            "pid = os.fork()\n"
            "if pid == 0: os._exit(libc.prctl(libc.PR_GET_DUMPABLE))\n"
            "said.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
            "ask_again = 'from code_process_hardening import libc; raise SystemExit(libc.prctl(libc.PR_GET_DUMPABLE))'\n"
            "said.append(subprocess.run([sys.executable, '-c', ask_again]).returncode)\n"
            "print(said)"
        )
        == "[0, 0, 1]\n"
    )
