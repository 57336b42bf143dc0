"""Independent clients, through the proxy to a scripted provider."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openai
import pytest

from responses_api_proxy.conftest import OverTls
from responses_api_proxy.wire import KEY, Peer, proxy, reply, upstream

BEARER = f"\r\nAuthorization: Bearer {KEY}\r\n".encode()
MESSAGE = {
    "id": "msg-1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "hello there", "annotations": []}],
}
RESPONSE = {
    "id": "resp-1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


class Provider:
    """Answers each request, as a stream if requested, and records the heads."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    def serve(self, peer: Peer) -> None:
        while True:
            head, body = peer.request()
            self.heads.append(head)
            if json.loads(body).get("stream"):
                peer.send(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                for event in self._events():
                    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
                    peer.send(b"%x\r\n%b\r\n" % (len(data), data))
                peer.send(b"0\r\n\r\n")
            else:
                fields = b"Content-Type: application/json\r\n"
                peer.send(reply(json.dumps(RESPONSE).encode(), fields=fields))

    def _events(self) -> list[dict[str, Any]]:
        delta = {
            "type": "response.output_text.delta",
            "item_id": "msg-1",
            "output_index": 0,
            "content_index": 0,
        }
        return [
            {**delta, "sequence_number": 1, "delta": "hello "},
            {**delta, "sequence_number": 2, "delta": "there"},
            {"type": "response.completed", "sequence_number": 3, "response": RESPONSE},
        ]


def sdk(port: int) -> openai.OpenAI:
    return openai.OpenAI(api_key="not the key", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)


def ask_twice(port: int) -> None:
    with sdk(port) as client:
        assert client.responses.create(model="m", input="hi").output_text == "hello there"
        with client.responses.create(model="m", input="hi", stream=True) as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert deltas == ["hello ", "there"]


def test_the_openai_sdk_with_and_without_streaming() -> None:
    provider = Provider()
    with (
        upstream(provider.serve) as server,
        proxy(f"http://127.0.0.1:{server.port}/v1/responses") as running,
    ):
        ask_twice(running.port)
    assert len(provider.heads) == 2
    assert all(BEARER in head and b"not the key" not in head for head in provider.heads)


def test_a_request_to_azure_with_a_query() -> None:
    provider = Provider()
    path = "/openai/deployments/d/responses?api-version=2025-04-01-preview"
    with (
        upstream(provider.serve) as server,
        proxy(f"http://127.0.0.1:{server.port}{path}") as running,
    ):
        ask_twice(running.port)
    assert all(head.startswith(f"POST {path} HTTP/1.1\r\n".encode()) for head in provider.heads)


def test_tls_with_a_custom_authority(certificate: Path, over_tls: OverTls) -> None:
    provider = Provider()
    with (
        upstream(over_tls(provider.serve)) as server,
        proxy(
            f"https://localhost:{server.port}/", "--ca-file", str(certificate.with_name("cert.pem"))
        ) as running,
    ):
        ask_twice(running.port)
    assert all(BEARER in head for head in provider.heads)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_with_streaming_and_an_announced_body() -> None:
    provider = Provider()
    with (
        upstream(provider.serve) as server,
        proxy(f"http://127.0.0.1:{server.port}/") as running,
    ):
        large = json.dumps({"stream": True, "input": "x" * 3_000_000})
        done = subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "*"),
                *("--header", "Expect: 100-continue", "--data-binary", "@-"),
                f"http://127.0.0.1:{running.port}/v1/responses",
            ],
            input=large.encode(),
            capture_output=True,
            timeout=60,
            check=True,
        )
    assert [line for line in done.stdout.splitlines() if line.startswith(b"event: ")] == [
        b"event: response.output_text.delta",
        b"event: response.output_text.delta",
        b"event: response.completed",
    ]
    assert BEARER in provider.heads[0]
