"""The thread that saves old versions of files: what it does, in which order, and when it ends."""

import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.protocol.checkpoints import Restored, Steps
from code_core.session.stored import file_checkpoints
from code_core.session.stored.file_checkpoints import FileCheckpoints
from code_core.store import checkpoints as store_module
from code_core.store.checkpoints.restoring import Outcome
from code_core.store.errors import CheckpointError
from core.session.desk import until

ROOT = Path("/w")


class Store:
    """Records the calls of its methods. See `Checkpoints` of the store."""

    made: list["Store"]
    fails = False
    left_to_save = 0
    slow: threading.Event | None = None
    steps = (2, 1)
    warning: str | None = "some files are not covered"

    def __init__(self, directory: Path, roots: Sequence[Path], excluded: Sequence[Path]) -> None:
        self.arguments = (directory, tuple(roots), tuple(excluded))
        self.roots = tuple(roots)
        self.calls: list[Any] = []
        self.stopped = False
        self.made.append(self)

    def _note(self, *call: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.calls.append(call if len(call) > 1 else call[0])
        if self.fails:
            raise CheckpointError("the store is damaged")

    def wants(self, roots: Sequence[Path]) -> bool:
        return tuple(roots) != self.roots

    def begin_turn(self, turn: str) -> None:
        self._note("begin", turn)

    def prepare(self) -> None:
        self._note("prepare")

    def before_write(self, paths: Sequence[Path]) -> None:
        if self.slow is not None:
            self.slow.wait(5)
        self._note("write", *paths)

    def before_command(self) -> None:
        self._note("command")

    def save(self, seconds: float) -> bool:
        assert 0 < seconds < 0.1  # whoever comes waits as long
        type(self).left_to_save -= 1
        self._note("save")
        return self.left_to_save > 0

    def end_turn(self) -> None:
        self._note("end")

    def undo(self) -> Outcome | None:
        self._note("undo")
        return Outcome("turn_a", ("/w/a",), ())

    def redo(self) -> Outcome | None:
        self._note("redo")
        return None

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> type[Store]:
    class Fresh(Store):
        made: list[Store] = []

    monkeypatch.setattr(store_module, "Checkpoints", Fresh)
    monkeypatch.setenv("HOME", "/home/somebody")
    return Fresh


def run(folder: Path, script: Callable[[FileCheckpoints], Awaitable[None]]) -> None:
    async def main() -> None:
        checkpoints = FileCheckpoints(folder / "kept", (folder,))
        with anyio.fail_after(10):
            try:
                await script(checkpoints)
            finally:
                await checkpoints.aclose()

    anyio.run(main)


def test_a_turn_without_changes_creates_nothing(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        await checkpoints.end_turn("turn_a")
        assert await checkpoints.steps() == Steps(0, 0)

    run(tmp_path, script)
    assert store.made == []


def test_other_tasks_than_turns_may_end(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        await checkpoints.end_turn("turn_a")
        (tmp_path / "kept").mkdir()
        assert await checkpoints.steps() == Steps(2, 1)  # of an earlier process
        assert await checkpoints.steps() == Steps(2, 1)

    run(tmp_path, script)
    (made,) = store.made
    assert made.arguments == (tmp_path / "kept", (), (tmp_path,))
    assert made.calls == []


def test_each_turn_is_a_separate_step(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        for turn in ("turn_a", "turn_b"):
            checkpoints.begin_turn(turn, [ROOT], look_ahead=False)
            await checkpoints.before_write(turn, [ROOT / "a"])
            await checkpoints.before_write(turn, [ROOT / "b"])
            await checkpoints.end_turn(turn)
            await checkpoints.end_turn(turn)  # like a task other than a turn
        checkpoints.begin_turn("turn_c", [ROOT], look_ahead=False)
        await checkpoints.end_turn("turn_c")

    run(tmp_path, script)
    one_turn = [("write", ROOT / "a"), ("write", ROOT / "b"), "end"]
    assert store.made[0].calls == [("begin", "turn_a"), *one_turn, ("begin", "turn_b"), *one_turn]
    assert store.made[0].stopped


def test_a_turn_in_another_directory_has_another_store(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        for root in (ROOT, ROOT, Path("/other")):
            checkpoints.begin_turn("turn_a", [root], look_ahead=False)
            await checkpoints.before_write("turn_a", [root / "a"])

    run(tmp_path, script)
    assert [one.roots for one in store.made] == [(ROOT,), (Path("/other"),)]
    assert len(store.made[0].calls) == 4
    assert len(store.made[1].calls) == 2


def test_files_are_scanned_while_the_model_thinks(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=True)
        await until(lambda: bool(store.made) and len(store.made[0].calls) == 5)
        await anyio.sleep(0.05)

    store.left_to_save = 3
    run(tmp_path, script)
    assert store.made[0].calls == [("begin", "turn_a"), "prepare", "save", "save", "save"]


def test_files_are_saved_while_a_command_runs(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        assert await checkpoints.before_command("turn_a") == "some files are not covered"
        await until(lambda: len(store.made[0].calls) == 4)
        assert await checkpoints.before_command("turn_a") is None  # the user knows it
        await checkpoints.end_turn("turn_a")

    store.left_to_save = 2
    run(tmp_path, script)
    assert store.made[0].calls[:4] == [("begin", "turn_a"), "command", "save", "save"]
    assert store.made[0].calls[-1] == "end" or "end" in store.made[0].calls


def test_there_is_no_warning_if_everything_is_covered(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        assert await checkpoints.before_command("turn_a") is None
        store.warning = "now there is something"
        assert await checkpoints.before_command("turn_a") == "now there is something"

    store.warning = None
    run(tmp_path, script)


@pytest.mark.parametrize("home", ["/w", "/w/somebody"])
def test_a_home_directory_is_not_scanned(
    tmp_path: Path, store: type[Store], monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", home)

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=True)
        assert "holds your home" in str(await checkpoints.before_command("turn_a"))
        await checkpoints.before_write("turn_a", [ROOT / "a"])
        checkpoints.begin_turn("turn_b", [ROOT, Path("/other")], look_ahead=False)
        await checkpoints.before_write("turn_b", [ROOT / "a"])

    run(tmp_path, script)
    assert [one.roots for one in store.made] == [(), (Path("/other"),)]


def test_undo_and_redo_report_what_they_did(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        assert await checkpoints.undo() == Restored("turn_a", (Path("/w/a"),), ())
        assert await checkpoints.redo() is None

    run(tmp_path, script)
    assert store.made[0].calls == ["undo", "redo"]


def test_a_failure_of_the_look_ahead_recurs_when_the_store_is_needed(
    tmp_path: Path, store: type[Store]
) -> None:
    problems: list[Any] = []

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=True)
        with pytest.raises(CheckpointError, match="damaged"):
            await checkpoints.before_write("turn_a", [ROOT / "a"])

    store.fails = True
    run(tmp_path, script)
    assert problems == []


def test_work_is_done_in_order(tmp_path: Path, store: type[Store]) -> None:
    store.slow = threading.Event()

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(checkpoints.before_write, "turn_a", [ROOT / "a"])
            await until(lambda: bool(store.made) and store.made[0].calls == [("begin", "turn_a")])
            tasks.start_soon(checkpoints.undo)
            await anyio.sleep(0.05)
            assert store.made[0].calls == [("begin", "turn_a")]
            assert store.slow is not None
            store.slow.set()

    run(tmp_path, script)
    assert store.made[0].calls == [("begin", "turn_a"), ("write", ROOT / "a"), "undo"]


def join_workers() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("checkpoints"):
            thread.join(5)
            assert not thread.is_alive()


def test_a_session_that_ends_immediately_is_not_scanned(
    tmp_path: Path, store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 60)

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=True)

    run(tmp_path, script)
    join_workers()
    assert store.made == []


def test_requests_do_not_wait_for_the_look_ahead(
    tmp_path: Path, store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 60)

    async def script(checkpoints: FileCheckpoints) -> None:
        for turn in ("turn_a", "turn_b"):
            checkpoints.begin_turn(turn, [ROOT], look_ahead=True)
            await checkpoints.before_write(turn, [ROOT / "a"])

    run(tmp_path, script)
    assert store.made[0].calls.count(("write", ROOT / "a")) == 2


def test_a_turn_that_ends_immediately_is_not_scanned(
    tmp_path: Path, store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 0.05)

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=True)
        await checkpoints.end_turn("turn_a")
        await anyio.sleep(0.1)

    run(tmp_path, script)
    assert store.made == []


def test_the_look_ahead_begins_some_time_after_the_turn(
    tmp_path: Path, store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 60)

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        await checkpoints.before_write("turn_a", [ROOT / "a"])
        checkpoints.begin_turn("turn_b", [ROOT], look_ahead=True)
        await anyio.sleep(0.05)
        assert "prepare" not in store.made[0].calls

    run(tmp_path, script)


def test_remaining_files_are_not_saved_after_the_end(tmp_path: Path, store: type[Store]) -> None:
    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        await checkpoints.before_command("turn_a")
        await until(lambda: store.left_to_save < 99_000)

    store.left_to_save = 100_000
    run(tmp_path, script)
    join_workers()
    assert store.left_to_save > 1_000


def test_nothing_is_watched_after_the_end(tmp_path: Path, store: type[Store]) -> None:
    kept: list[FileCheckpoints] = []

    async def script(checkpoints: FileCheckpoints) -> None:
        kept.append(checkpoints)
        await checkpoints.undo()

    run(tmp_path, script)
    join_workers()
    made = weakref.ref(store.made.pop())
    gc.collect()
    assert made() is None


def test_a_store_that_hangs_is_not_awaited(tmp_path: Path, store: type[Store]) -> None:
    store.slow = threading.Event()

    async def script(checkpoints: FileCheckpoints) -> None:
        checkpoints.begin_turn("turn_a", [ROOT], look_ahead=False)
        with anyio.move_on_after(0.05) as clock:
            await checkpoints.before_write("turn_a", [ROOT / "a"])
        assert clock.cancelled_caught

    began = time.monotonic()
    run(tmp_path, script)
    assert time.monotonic() - began < 4
    store.slow.set()
    join_workers()
