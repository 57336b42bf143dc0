"""Files through an editor's tools: what each tool gets, and when the disk is used instead."""

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types
import pytest

from code_core.config.schema.servers import ClientToolTable
from code_core.files import texts
from code_core.files.texts import TextFileSystem
from code_core.patch.filesystem import FileChangedError, FileState
from code_core.session.servers.tool_texts import ToolTexts
from code_mcp_client import McpClientError

READ = ClientToolTable(mcp_server="ide", tool_name="read")
WRITE = ClientToolTable(mcp_server="ide", tool_name="write")


class Editor:
    """Servers of an editor with unsaved texts by path, or with another result."""

    def __init__(self, texts: dict[str, str] | None = None, answer: Any = None) -> None:
        self.texts = texts or {}
        self.answer = answer
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def client_tool(self, wanted: ClientToolTable) -> Any:
        name = wanted.tool_name
        if self.answer == "missing":
            return None
        return SimpleNamespace(host=self, definition=SimpleNamespace(name=name))

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> mcp_types.CallToolResult:
        self.calls.append((name, arguments))
        match self.answer:
            case Exception():
                raise self.answer
            case "hang":
                await anyio.sleep_forever()
            case None:
                pass
            case result:
                return mcp_types.CallToolResult(content=[], structured_content=result)
        path = arguments["path"]
        if name == "write":
            self.texts[path] = arguments["content"]
            return mcp_types.CallToolResult(content=[])
        if path not in self.texts:
            return mcp_types.CallToolResult(content=[], is_error=True)
        return mcp_types.CallToolResult(content=[], structured_content={"content": self.texts[path]})


def files(editor: Editor, read: ClientToolTable | None = READ, write: ClientToolTable | None = WRITE) -> Any:
    servers: Any = editor
    return TextFileSystem(ToolTexts("session", servers, read, write))


def run(work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    async def main() -> Any:
        with anyio.fail_after(5):
            return await work(*arguments)

    return anyio.run(main)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.txt"
    file.write_bytes(b"disk")
    file.chmod(0o640)
    return file


def test_the_editors_text_keeps_the_mode_and_owner_of_the_file(file: Path) -> None:
    editor = Editor({str(file): "unsaved é"})
    state = run(files(editor).read, file)
    assert state == FileState("unsaved é".encode(), 0o640, (os.getuid(), os.getgid()))
    assert editor.calls == [("read", {"sessionId": "session", "path": str(file)})]


def test_a_file_may_exist_only_in_the_editor(tmp_path: Path) -> None:
    new = tmp_path / "new.txt"
    assert run(files(Editor({str(new): "unsaved"})).read, new) == FileState(b"unsaved")
    assert run(files(Editor()).read, new) is None


@pytest.mark.parametrize(
    "answer",
    [
        "missing",
        OSError("pipe"),
        TimeoutError(),
        McpClientError("gone"),
        {"content": 7},
        {},
        {"text": "x"},
        "hang",
    ],
)
def test_the_disk_is_used_if_the_editor_gives_no_proper_answer(
    file: Path, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "FILE_SECONDS", 0.05)
    assert run(files(Editor(answer=answer)).read, file).data == b"disk"


def test_a_texts_length_is_limited(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LARGEST_TEXT", 7)
    assert run(files(Editor({str(file): "unsaved"})).read, file).data == b"unsaved"
    assert run(files(Editor({str(file): "unsaved!"})).read, file).data == b"disk"


def test_half_a_surrogate_pair_becomes_a_question_mark(file: Path) -> None:
    assert run(files(Editor({str(file): "a\ud800b"})).read, file).data == b"a?b"


@pytest.mark.parametrize("data", [b"a\0b", b"\xff"])
def test_an_editor_is_not_asked_for_binary_files(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    editor = Editor({str(file): "unsaved"})
    assert run(files(editor).read, file).data == data
    assert editor.calls == []


def test_an_editor_is_not_asked_for_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("a.txt")
    editor = Editor({str(link): "unsaved"})
    assert run(files(editor).read, link).link
    assert editor.calls == []


def test_without_a_read_tool_files_are_read_from_disk(file: Path) -> None:
    editor = Editor({str(file): "unsaved"})
    assert run(files(editor, read=None).read, file).data == b"disk"
    assert editor.calls == []


@pytest.mark.parametrize("mode", [None, 0o640])
def test_a_text_is_written_by_the_editor(file: Path, mode: int | None) -> None:
    editor = Editor({str(file): "unsaved"})
    run(files(editor).replace, file, FileState(b"new", mode), FileState(b"unsaved"))
    assert editor.texts == {str(file): "new"}
    assert editor.calls[-1] == ("write", {"sessionId": "session", "path": str(file), "content": "new"})
    assert file.read_bytes() == b"disk"


def test_a_new_file_is_written_by_the_editor(tmp_path: Path) -> None:
    new, editor = tmp_path / "new.txt", Editor()
    run(files(editor).replace, new, FileState(b"new"), None)
    assert editor.texts == {str(new): "new"}
    assert not new.exists()


@pytest.mark.parametrize("state", [FileState(b"a\0b"), FileState(b"new", 0o755)])
def test_content_that_a_tool_cannot_write_is_written_only_to_disk(file: Path, state: FileState) -> None:
    editor = Editor()
    run(files(editor).replace, file, state, FileState(b"disk"))
    assert file.read_bytes() == state.data
    assert file.stat().st_mode & 0o777 == (state.mode or 0o640)
    assert [name for name, _ in editor.calls] == ["read"]


def test_a_link_is_replaced_on_disk(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("a.txt")
    editor = Editor()
    run(files(editor).replace, link, FileState(b"new"), FileState(b"a.txt", link=True))
    assert editor.calls == []
    assert link.read_bytes() == b"new"


def test_without_a_write_tool_files_are_written_to_disk(file: Path) -> None:
    run(files(Editor(), write=None).replace, file, FileState(b"new"), FileState(b"disk"))
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("answer", ["missing", OSError("pipe"), McpClientError("gone")])
def test_if_the_tool_fails_files_are_written_to_disk(file: Path, answer: Any) -> None:
    run(files(Editor(answer=answer)).replace, file, FileState(b"new"), FileState(b"disk"))
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("answer", ["hang", TimeoutError()])
def test_a_tool_that_does_not_answer_may_have_written(
    file: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(texts, "FILE_SECONDS", 0.05)
    editor = Editor(answer=answer)
    with pytest.raises(TimeoutError, match=r"write did not answer in time; check the file") as caught:
        run(files(editor, read=None).replace, file, FileState(b"new"), FileState(b"disk"))
    assert (caught.value.errno, caught.value.filename) == (errno.ETIMEDOUT, str(file))
    assert file.read_bytes() == b"disk"


def test_a_file_that_changed_in_the_meantime_is_left_alone(file: Path) -> None:
    editor = Editor({str(file): "typed meanwhile"})
    with pytest.raises(FileChangedError):
        run(files(editor).replace, file, FileState(b"new"), FileState(b"disk"))
    with pytest.raises(FileChangedError):
        run(files(editor).delete, file, FileState(b"disk"))
    assert editor.texts == {str(file): "typed meanwhile"}
    assert file.read_bytes() == b"disk"


def test_a_file_deleted_in_the_meantime_is_reported_as_such(file: Path) -> None:
    file.unlink()
    with pytest.raises(FileChangedError, match="was deleted after the patch was planned"):
        run(files(Editor()).replace, file, FileState(b"new"), FileState(b"disk"))
    with pytest.raises(FileChangedError, match="was deleted after the patch was planned"):
        run(files(Editor()).delete, file, FileState(b"disk"))


def test_files_are_deleted_on_disk(file: Path) -> None:
    run(files(Editor()).delete, file, FileState(b"disk"))
    assert not file.exists()


def test_links_lead_to_files_on_disk(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a.txt")
    assert run(files(Editor()).resolve, tmp_path / "link") == file.resolve()
