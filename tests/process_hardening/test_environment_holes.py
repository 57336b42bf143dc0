"""Each attack twice: on the hardened program, and on an unrelated one in the same environment."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from process_hardening.accounts import Account
from process_hardening.environments import Environment
from process_hardening.probing import report_of


@pytest.fixture
def reports(account: Account, installed: Environment) -> Any:
    def both(environment: Mapping[Any, Any], **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        control = [str(installed.folder / "bin" / "unrelated")]
        return (
            report_of(account, control, environment, **options),
            report_of(account, [installed.script], environment, **options),
        )

    return both


@pytest.fixture(scope="session")
def planted(open_folder: Path) -> Path:
    folder = open_folder / "planted"
    folder.mkdir()
    (folder / "stringprep.py").write_text("")
    (folder / "openssl.cnf").write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1.3\n"
    )
    return folder


def test_pythonpath_cannot_replace_a_module(reports: Any, planted: Path) -> None:
    control, hardened = reports({"PYTHONPATH": str(planted)})
    assert control["stringprep"] == str(planted / "stringprep.py")
    assert hardened["stringprep"] != control["stringprep"]


def test_the_working_directory_cannot_replace_a_module(
    account: Account, installed: Environment, planted: Path
) -> None:
    control = [installed.python, "-c", "from code_responses_api_proxy import report; report()"]
    hardened = [installed.python, "-m", "code_responses_api_proxy"]
    assert report_of(account, control, cwd=planted)["stringprep"] == str(planted / "stringprep.py")
    assert str(planted) not in report_of(account, hardened, cwd=planted)["stringprep"]


def test_a_preloaded_library_is_not_loaded(reports: Any) -> None:
    control, hardened = reports({"LD_PRELOAD": "libBrokenLocale.so.1"})
    if not control["preloaded"]:
        pytest.skip("no library to preload: this is not glibc")
    assert not hardened["preloaded"]


def test_a_preloaded_library_is_not_loaded_when_started_isolated(
    account: Account, installed: Environment
) -> None:
    program = [installed.python, "-I", "-X", "disable-remote-debug"]
    environment = {"LD_PRELOAD": "libBrokenLocale.so.1"}
    control = [*program, "-c", "from code_responses_api_proxy import report; report()"]
    if not report_of(account, control, environment)["preloaded"]:
        pytest.skip("no library to preload: this is not glibc")
    assert not report_of(account, [*program, "-m", "code_responses_api_proxy"], environment)["preloaded"]


def test_openssl_is_not_configured_by_the_environment(reports: Any, planted: Path) -> None:
    control, hardened = reports({"OPENSSL_CONF": str(planted / "openssl.cnf")})
    plain, _ = reports({})
    if control["minimum_tls"] == plain["minimum_tls"]:
        pytest.skip("this Python's OpenSSL does not read OPENSSL_CONF")
    assert hardened["minimum_tls"] == plain["minimum_tls"]


def test_tls_keys_are_not_logged(reports: Any) -> None:
    control, hardened = reports({"SSLKEYLOGFILE": "/dev/null"})
    assert control["key_log"] == "/dev/null"
    assert hardened["key_log"] is None


def test_certificates_are_not_chosen_by_the_environment(reports: Any, planted: Path) -> None:
    control, hardened = reports({"SSL_CERT_FILE": str(planted / "openssl.cnf")})
    assert control["certificates"] == str(planted / "openssl.cnf")
    assert hardened["certificates"] != control["certificates"]


def test_the_users_packages_are_not_used(account: Account, installed: Environment) -> None:
    # A virtual environment has none anyway; what counts is that `-I` turns them off.
    assert report_of(account, [installed.script])["user_site"] is False


def test_a_name_that_is_not_utf8_is_removed(reports: Any) -> None:
    control, hardened = reports({b"LD_\xff": b"1"})
    assert ascii("LD_\udcff") in control["environment"]
    assert ascii("LD_\udcff") not in hardened["environment"]


@pytest.mark.skipif(sys.platform != "linux", reason="the loader's variables are Linux's")
@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "PYTHONHASHSEED", "OPENSSL_MODULES"])
def test_child_processes_do_not_inherit_removed_variables(name: str, reports: Any) -> None:
    control, hardened = reports({name: "0"})
    assert ascii(name) in control["environment"]
    assert ascii(name) not in hardened["environment"]
