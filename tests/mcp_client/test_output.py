"""Faulty output of a server."""

import logging

import pytest

from code_mcp_client import MalformedMessage, McpClientConfig, MessageTooLarge, RequestFailed, ServerExited
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

GOOD = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"good"}]}}\n'


def good(text: str) -> str:
    return GOOD.replace("good", text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Server listening…\n\n   \n{oops\n[1,\n".encode().decode("latin-1") + GOOD, "good"),
        ('{"level":30,"msg":"a log line"}\n' + GOOD, "good"),
        (good("a\xff\xfeb"), "a\ufffd\ufffdb"),
        ("\xef\xbb\xbf" + GOOD, "good"),
        (good("\\ud83d!"), "\ufffd!"),
        (GOOD.replace("\n", "\r\n"), "good"),
        ("[" + GOOD.strip() + "]\n", "good"),
        (good("one") + good("two"), "one"),
    ],
    ids=["noise", "log", "invalid UTF-8", "BOM", "surrogate", "CRLF", "batch", "duplicate"],
)
async def test_an_answer_is_read_despite_faults(written: str, expected: str) -> None:
    async with scripted("echo") as client:
        assert await call(client, "raw", bytes=written) == expected
        assert await call(client, "raw", bytes=GOOD) == "good"


async def test_a_last_line_without_a_newline_is_read() -> None:
    async with scripted("echo") as client:
        assert await call(client, "raw", bytes=GOOD.strip(), exit=True) == "good"
        with pytest.raises(ServerExited, match="exited with status 0"):
            await client.ping()


async def test_output_right_before_the_exit_is_read_completely() -> None:
    async with scripted("echo", buffer_capacity="1KiB") as client:
        long = "x" * 300_000
        assert await call(client, "raw", bytes=good(long), exit=True) == long


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            '{\n  "jsonrpc": "2.0",\n  "id": ID,\n  "result": {\n    "content": []\n  }\n}\n',
            "one message per line",
        ),
        ('{"jsonrpc":"2.0","id":ID,"result":{"content":[}\n', "not valid JSON"),
        ('{"jsonrpc":"2.0","id":ID,"result":null}\n', "neither a result"),
        (GOOD.strip() + GOOD, "not valid JSON"),
        ('{"jsonrpc":"2.0","id":ID,"error":null}\n', "neither a result"),
    ],
    ids=["pretty-printed", "broken", "null result", "two on a line", "null error"],
)
async def test_an_unusable_answer_immediately_fails_only_its_request(written: str, problem: str) -> None:
    async with scripted("echo") as client:
        with pytest.raises(MalformedMessage, match=problem):
            await call(client, "raw", bytes=written)
        assert await call(client, "raw", bytes=GOOD) == "good"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ('"went wrong"', "tools/call failed: went wrong (JSON-RPC error 0)"),
        ('{"message":"went wrong"}', "tools/call failed: went wrong (JSON-RPC error 0)"),
        ('{"code":"E1","message":"went wrong"}', "tools/call failed: went wrong (JSON-RPC error 0)"),
        ('{"code":-7}', 'tools/call failed: {"code":-7} (JSON-RPC error -7)'),
        (
            '{"code":-7,"message":null,"why":"x"}',
            'tools/call failed: {"code":-7,"message":null,"why":"x"} (JSON',
        ),
        ('{"code":-7,"message":"bad","data":"no such id"}', "failed: bad: no such id (JSON-RPC error -7)"),
        ('{"code":-7,"message":"bad","data":{"a":[1]}}', 'failed: bad: {"a":[1]} (JSON-RPC error -7)'),
        ('{"code":-7,"message":"bad","data":{}}', "failed: bad (JSON-RPC error -7)"),
    ],
)
async def test_an_error_in_any_form_reaches_the_caller(error: str, message: str) -> None:
    async with scripted("echo") as client:
        with pytest.raises(RequestFailed) as caught:
            await call(client, "raw", bytes=f'{{"jsonrpc":"2.0","id":ID,"error":{error}}}\n')
        assert message in str(caught.value)
        assert await call(client, "raw", bytes=GOOD) == "good"


@pytest.mark.parametrize("tool", ["big", "id_last"])
async def test_a_message_above_the_limit_fails_only_its_request(tool: str) -> None:
    config = McpClientConfig(max_message_bytes=100_000)
    async with scripted("echo", config=config) as client:
        assert len(await call(client, tool, size=90_000)) == 90_000
        with pytest.raises(MessageTooLarge, match=r"has 5,000,\d+ bytes, max_message_bytes is 100,000"):
            await call(client, tool, size=5_000_000)
        assert await call(client, "raw", bytes=GOOD) == "good"


async def test_unsolicited_answers_are_logged_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "code_mcp_client"):
        async with scripted("echo") as client:
            assert await call(client, "twice") == "first"
            await client.ping()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "an answer to request 1, " in messages[0]
    assert "an answer to request 987654, " in messages[1]
    assert "which is not pending" in caplog.text


async def test_noise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "code_mcp_client"):
        async with scripted("echo") as client:
            await call(client, "raw", bytes="Hello!\n" + GOOD)
    assert "'Hello!'" in caplog.text
