import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_process_hardening.environment import cleaned, has_loader_names, unsafe_names


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSLKEYLOGFILE",
        "PYTHONPATH",
        "PYTHONINSPECT",
    ],
)
def test_a_dangerous_variable_is_removed_unless_allowed(name: str) -> None:
    assert unsafe_names([name.encode()]) == [name.encode()]
    assert unsafe_names([name.encode()], allow={name}) == []


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "OLD_PWD", "MY_LD_X", "SSL_CERT", "OPENSSL", "python", "ld_preload", ""]
)
def test_other_variables_are_kept(name: str) -> None:
    assert unsafe_names([name.encode()]) == []


def test_a_name_that_is_not_utf8_is_removed_too() -> None:
    assert cleaned({b"LD_\xff\xfe": b"1", b"\xff": b"2"}) == {b"\xff": b"2"}


@given(st.dictionaries(st.binary(), st.binary()))
def test_cleaning_removes_exactly_the_unsafe_names_and_is_idempotent(
    environment: dict[bytes, bytes],
) -> None:
    clean = cleaned(environment)
    assert set(environment) - set(clean) == set(unsafe_names(environment))
    assert cleaned(clean) == clean
    assert not has_loader_names(clean)
