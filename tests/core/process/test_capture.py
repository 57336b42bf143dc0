import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.process.capture import Capture


def test_short_output_is_complete(tmp_path: Path) -> None:
    capture = Capture(100, tmp_path / "out")
    capture.write(b"a" * 60)
    capture.write(b"b" * 40)
    assert capture.text() == "a" * 60 + "b" * 40
    assert not (tmp_path / "out").exists()


def test_long_output_keeps_whole_lines_of_both_ends_and_is_complete_on_disk(tmp_path: Path) -> None:
    capture = Capture(100, tmp_path / "deep" / "out")
    whole = b"".join(b"line %03d\n" % number for number in range(100))
    for at in range(0, len(whole), 7):
        capture.write(whole[at : at + 7])
    capture.close()
    lines = capture.text().splitlines()
    assert lines[:5] == [f"line {number:03}" for number in range(5)]
    assert lines[6:] == [f"line {number:03}" for number in range(95, 100)] or lines[6:] == [
        f"line {number:03}" for number in range(96, 100)
    ]
    assert lines[5] == (
        f"[… about 800 bytes cut of 900 in 100 lines; the full output is in {tmp_path / 'deep' / 'out'} …]"
    )
    assert (tmp_path / "deep" / "out").read_bytes() == whole
    assert (tmp_path / "deep" / "out").stat().st_mode & 0o777 == 0o600


def test_an_unwritable_file_does_not_fail_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    capture = Capture(10, tmp_path / "file" / "out")
    capture.write(b"x" * 100)
    capture.close()
    assert "could not be kept: File exists" in capture.text()


def test_memory_stays_bounded() -> None:
    capture = Capture(1000)
    for _ in range(1000):
        capture.write(b"x" * 8192)
    assert capture.total == 8192 * 1000
    assert len(capture.text()) < 1200


@given(st.lists(st.binary(max_size=40)), st.integers(2, 60))
def test_both_ends_are_kept_unchanged(chunks: list[bytes], limit: int) -> None:
    capture = Capture(limit)
    for chunk in chunks:
        capture.write(chunk)
    whole = b"".join(chunks)
    if len(whole) <= limit // 2 * 2:
        assert capture.text() == whole.decode("utf-8", "replace")
    else:
        assert "bytes cut" in capture.text()


@pytest.mark.parametrize("text", ["x" * 300, "é" * 300])
def test_one_endless_line_is_cut_in_the_middle(text: str) -> None:
    capture = Capture(100)
    capture.write(text.encode())
    start, note, end = capture.text().split("\n")
    assert text.startswith(start)
    assert "bytes cut" in note
    assert text.endswith(end)


def spilled(path: Path) -> str:
    capture = Capture(10, path)
    capture.write(b"x" * 100)
    capture.close()
    return capture.text()


@pytest.mark.parametrize("hard", [True, False])
def test_a_planted_link_is_replaced_not_followed(tmp_path: Path, hard: bool) -> None:
    (tmp_path / "outputs").mkdir()
    victim, planted = tmp_path / "victim", tmp_path / "outputs/call.txt"
    victim.write_text("precious")
    if hard:
        planted.hardlink_to(victim)
    else:
        planted.symlink_to(victim)
    assert str(planted) in spilled(planted)
    assert victim.read_text() == "precious"
    assert planted.read_text() == "x" * 100


def test_a_planted_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "call.txt")
    spilled(tmp_path / "call.txt")
    assert (tmp_path / "call.txt").read_text() == "x" * 100


def test_no_output_is_written_to_a_directory_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "outputs").symlink_to("victim")
    assert "could not be kept" in spilled(tmp_path / "outputs/call.txt")
    assert list((tmp_path / "victim").iterdir()) == []
