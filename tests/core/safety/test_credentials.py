"""What counts as a credential, and which parts of it are redacted."""

import pytest

from code_core.safety.credentials import is_secret, is_secret_name, secret_texts


@pytest.mark.parametrize(
    ("name", "value", "texts"),
    [
        ("API_KEY", "k", ["k"]),
        ("api_token", "http://u:pw@host", ["http://u:pw@host"]),
        ("MIRROR", "http://u:pw@a http://u:p%40@b", ["pw", "p%40", "p@"]),
        ("HTTPS_PROXY", "http://u:pw@proxy", ["pw"]),
        ("EDITOR", "vi", []),
        ("XDG_SESSION_TOKEN", "x", []),
    ],
)
def test_the_secret_parts_of_a_variable(name: str, value: str, texts: list[str]) -> None:
    assert secret_texts(name, value) == texts


def test_a_secret_is_recognised_by_its_name_or_a_password_in_its_value() -> None:
    assert is_secret_name("aws_secret_x")
    assert is_secret("AWS_SECRET_X", "")
    assert is_secret("MIRROR", "see http://u:pw@host/x")
    assert not is_secret("http_proxy", "http://u:pw@host/x")
    assert not is_secret("MIRROR", "http://host/x")
    assert not is_secret_name("KEYBOARD")
