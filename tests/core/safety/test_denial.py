import pytest

from code_core.safety.denial import looks_denied


@pytest.mark.parametrize(
    ("code", "output", "denied"),
    [
        (1, "touch: cannot touch 'x': Read-only file system", True),
        (1, "OSError: [Errno 1] Operation not permitted", True),
        (126, "sh: 1: ./x: Permission denied", True),
        (159, "", True),
        (1, "1 failed, 2 passed", False),
        (0, "Permission denied", False),
        (127, "sandbox: command not found", False),
    ],
)
def test_denied_by_the_sandbox(code: int, output: str, denied: bool) -> None:
    assert looks_denied(code, output) is denied
