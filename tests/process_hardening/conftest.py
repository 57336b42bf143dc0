import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from process_hardening.accounts import Account, find_account
from process_hardening.environments import Environment, make_environment


@pytest.fixture(scope="session")
def account() -> Account:
    found = find_account()
    if found is None:
        pytest.skip("running as root, and no Python 3.11 or newer is readable by other users")
    return found


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A directory that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="code-hardening-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def installed(account: Account, open_folder: Path) -> Environment:
    return make_environment(open_folder, account.python)
