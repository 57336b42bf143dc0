import threading
from pathlib import Path

import pytest

from code_core.files.checkout import Checkout, DistrustedFileError, own_ids, within_seconds


def test_a_read_that_hangs_is_abandoned(tmp_path: Path) -> None:
    go_on = threading.Event()
    with pytest.raises(DistrustedFileError, match=r"that takes longer than 0\.05 s"):
        within_seconds("the file", go_on.wait, 0.05)
    go_on.set()
    assert within_seconds("the file", lambda: 7) == 7


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "a" / "link").symlink_to("b/file")
    (tmp_path / "a" / "out").symlink_to("/etc/passwd")
    checkout = Checkout(tmp_path, own_ids())
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(10):
        assert checkout.read(tmp_path / "a" / "link") == b"x"
        assert checkout.names(tmp_path / "a") == ["b", "link", "out"]
        assert checkout.read(tmp_path / "missing" / "file") is None
        with pytest.raises(DistrustedFileError, match="a link out of"):
            checkout.read(tmp_path / "a" / "out")
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_directory_with_too_many_files_is_not_listed(tmp_path: Path) -> None:
    for number in range(1_001):
        (tmp_path / str(number)).touch()
    with pytest.raises(DistrustedFileError, match="more than 1,000 files"):
        Checkout(tmp_path, own_ids()).names(tmp_path)
