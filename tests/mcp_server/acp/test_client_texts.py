"""Files through the editor: unsaved text wins, refusals go to the disk, nothing is overwritten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from code_core.acp.capabilities import ClientCapabilities
from code_core.files import texts
from code_core.files.texts import TextFileSystem
from code_core.patch.filesystem import FileChangedError, FileState
from code_mcp_server.acp.client_texts import ClientTexts
from code_mcp_server.acp.connection import Connection
from code_mcp_server.jsonrpc import RpcError
from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_client import AcpClient, choose
from support.command import Workspace

BOTH = {"fs": {"readTextFile": True, "writeTextFile": True}}
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-unsaved\n+patched\n*** End Patch"


class Editor:
    """A client with buffers; a method that is in `refused` fails, one in `silent` is not answered."""

    def __init__(self, buffers: dict[Path, str], *, saves: bool = True) -> None:
        self.buffers = buffers
        self.saves = saves
        self.refused: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[str] = []

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(method)
        path = Path(params["path"])
        if method in self.silent:
            await anyio.sleep_forever()
        if method in self.refused or (method == "fs/read_text_file" and path not in self.buffers):
            raise RpcError(-32603, "no")
        if method == "fs/read_text_file":
            return {"content": self.buffers[path]}
        self.buffers[path] = params["content"]
        if self.saves:
            path.write_text(params["content"])
        return {}

    def files(self) -> TextFileSystem:
        client = ClientCapabilities(read_files=True, write_files=True)
        return TextFileSystem(ClientTexts(cast("Connection", self), "s", client))


def state(text: str) -> FileState:
    return FileState(text.encode())


def run(main: Callable[[], Any]) -> None:
    anyio.run(main)


def test_unsaved_text_is_read_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("saved\n")
    path.chmod(0o640)
    editor = Editor({path: "unsaved\n"})

    async def main() -> None:
        files = editor.files()
        read = await files.read(path)
        assert read is not None
        assert (read.data, read.mode) == (b"unsaved\n", 0o640)
        with pytest.raises(FileChangedError):
            await files.replace(path, state("new\n"), state("saved\n"))
        await files.replace(path, state("new\n"), read)

    run(main)
    assert (editor.buffers[path], path.read_text()) == ("new\n", "new\n")


def test_files_that_the_editor_refuses_are_read_and_written_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("saved\n")
    editor = Editor({})
    editor.refused = {"fs/read_text_file", "fs/write_text_file"}

    async def main() -> None:
        files = editor.files()
        await files.replace(path, state("new\n"), await files.read(path))
        await files.replace(tmp_path / "below" / "b.txt", state("b\n"), None)

    run(main)
    assert path.read_text() == "new\n"
    assert (tmp_path / "below" / "b.txt").read_text() == "b\n"


def test_unsaved_text_that_the_editor_refuses_to_replace_is_not_overwritten_on_disk(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("saved\n")
    editor = Editor({path: "unsaved\n"})
    editor.refused = {"fs/write_text_file"}

    async def main() -> None:
        files = editor.files()
        with pytest.raises(FileChangedError):
            await files.replace(path, state("new\n"), await files.read(path))
        with pytest.raises(FileChangedError):
            await files.delete(path, state("unsaved\n"))

    run(main)
    assert path.read_text() == "saved\n"


def test_an_editor_that_does_not_answer_only_costs_its_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "FILE_SECONDS", 0.01)
    path = tmp_path / "a.txt"
    path.write_text("saved\n")
    editor = Editor({path: "saved\n"})
    editor.silent = {"fs/read_text_file", "fs/write_text_file"}

    async def main() -> None:
        files = editor.files()
        read = await files.read(path)
        assert read is not None
        assert read.data == b"saved\n"
        with pytest.raises(TimeoutError, match="did not answer"):
            await files.replace(path, state("new\n"), read)

    run(main)
    assert path.read_text() == "saved\n"


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b"])
def test_binary_content_is_handled_on_disk(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    editor = Editor({path: "wrong"})

    async def main() -> None:
        files = editor.files()
        read = await files.read(path)
        assert read is not None
        assert read.data == data
        await files.replace(path, FileState(data * 2), read)

    run(main)
    assert path.read_bytes() == data * 2
    assert editor.asked == []


def test_links_are_not_followed_by_the_editor(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    editor = Editor({})

    async def main() -> None:
        with pytest.raises(OSError, match="symbolic link"):
            await editor.files().replace(tmp_path / "link" / "a.txt", state("x"), None)

    run(main)
    assert editor.asked == []


@pytest.mark.parametrize("refuses", [False, True])
def test_a_patch_goes_through_the_editor(workspace: Workspace, replay: Replay, refuses: bool) -> None:
    replay(
        [sse.custom_tool_call("apply_patch", PATCH, "p1"), sse.completed()],
        [sse.message("Done."), sse.completed()],
    )
    path = workspace.directory / "a.txt"
    path.write_text("saved\n")
    written: list[dict[str, Any]] = []

    def write(params: dict[str, Any]) -> dict[str, Any] | Exception:
        if refuses:
            return RuntimeError("the buffer is locked")
        written.append(params)
        return {}

    with AcpClient(workspace, "-s", "workspace-write", "-a", "untrusted", capabilities=BOTH) as client:
        client.answers["session/request_permission"] = choose("approved")
        client.answers["fs/read_text_file"] = lambda _: {"content": "unsaved\n"}
        client.answers["fs/write_text_file"] = write
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        (end,) = [
            u
            for u in client.updates
            if u.get("toolCallId") == "p1" and u["status"] in {"completed", "failed"}
        ]
        assert end["status"] == ("failed" if refuses else "completed")
        assert all(one["sessionId"] == session for one in written)
    assert path.read_text() == "saved\n"  # this editor keeps its text
    assert [one["content"] for one in written] == ([] if refuses else ["patched\n"])
