"""When files are scanned ahead."""

import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from code_core.session.stored import file_checkpoints
from code_core.session.stored.file_checkpoints import FileCheckpoints


class Store:
    """Saves nothing; records its calls, and which thread releases it."""

    warning = None

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.prepared = threading.Event()
        self.let_go = threading.Event()
        self.let_go_in: threading.Thread | None = None

    def made(self) -> "Watching":
        return Watching(self)


class Watching:
    warning = None

    def __init__(self, store: Store) -> None:
        self._store = store

    def __del__(self) -> None:
        self._store.let_go_in = threading.current_thread()
        self._store.let_go.set()

    def wants(self, _roots: object) -> bool:
        return False

    def begin_turn(self, turn_id: str) -> None:
        self._store.calls.append(f"begin {turn_id}")

    def prepare(self) -> None:
        self._store.calls.append("prepare")
        self._store.prepared.set()

    def before_command(self) -> None:
        self._store.calls.append("command")

    def save(self, seconds: float) -> bool:  # noqa: ARG002 - as the real one
        return False

    def stop(self) -> None:
        self._store.calls.append("stop")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(FileCheckpoints, "_create", lambda _: store.made())
    return store


def test_a_turn_that_ends_immediately_scans_nothing(store: Store, tmp_path: Path) -> None:
    async def main() -> None:
        checkpoints = FileCheckpoints(tmp_path / "kept")
        checkpoints.begin_turn("t", [tmp_path], look_ahead=True)
        await checkpoints.end_turn("t")
        await checkpoints.aclose()

    anyio.run(main)
    assert store.calls == []


def test_ended_turns_leave_nothing_to_wait_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 60.0)

    async def main() -> None:
        checkpoints = FileCheckpoints(tmp_path / "kept")
        for number in range(3):
            checkpoints.begin_turn(f"t{number}", [tmp_path], look_ahead=True)
            await checkpoints.end_turn(f"t{number}")
        checkpoints.begin_turn("last", [tmp_path], look_ahead=True)
        with anyio.fail_after(10):
            await checkpoints.before_command("last")
        await checkpoints.aclose()

    anyio.run(main)
    assert store.calls == ["begin last", "prepare", "command", "stop"]


def test_a_longer_turn_scans_ahead(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 0.01)

    async def main() -> None:
        checkpoints = FileCheckpoints(tmp_path / "kept")
        checkpoints.begin_turn("t", [tmp_path], look_ahead=True)
        assert await anyio.to_thread.run_sync(store.prepared.wait, 10)
        await checkpoints.aclose()

    anyio.run(main)
    assert store.calls == ["begin t", "prepare", "stop"]


def test_a_command_does_not_wait_for_the_scan_to_begin(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_checkpoints, "_HESITATION", 60.0)

    async def main() -> None:
        checkpoints = FileCheckpoints(tmp_path / "kept")
        checkpoints.begin_turn("t", [tmp_path], look_ahead=True)
        with anyio.fail_after(10):
            await checkpoints.before_command("t")
        await checkpoints.aclose()

    anyio.run(main)
    assert store.calls == ["begin t", "prepare", "command", "stop"]


def test_watches_are_ended_by_the_worker(store: Store, tmp_path: Path) -> None:
    async def main() -> None:
        checkpoints = FileCheckpoints(tmp_path / "kept")
        checkpoints.begin_turn("t", [tmp_path], look_ahead=False)
        await checkpoints.before_command("t")
        await checkpoints.aclose()
        assert await anyio.to_thread.run_sync(store.let_go.wait, 10)

    anyio.run(main)
    assert store.let_go_in is not threading.main_thread()
