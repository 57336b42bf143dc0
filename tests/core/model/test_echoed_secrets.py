"""Secrets that a provider repeats in its answers, over a real socket."""

import anyio
import pytest

from code_core.errors import ModelError
from code_core.model.echoed_secrets import EchoedSecrets
from code_core.model.http import HttpModelClient
from code_core.model.providers import Provider
from code_core.model.responses import ResponsesWire
from code_core.protocol.items import InputText, Message
from code_core.wire.prompt import ModelSettings, Prompt
from support import Reply, ScriptedUpstream, reply, stream
from support import responses_events as sse

KEY = b"key-of-a-test-0123456789"
PROMPT = Prompt(
    ModelSettings("m"), "conversation", "be good", [Message(role="user", content=[InputText(text="hi")])]
)
ECHOES: dict[str, Reply] = {
    "an error's body": reply(401, body={"error": {"message": f"Incorrect API key: {KEY.decode()}"}}),
    "a page": reply(403, body=f"<p>Authorization: Bearer {KEY.decode()}</p>"),
    "an answer that is not a stream": reply(200, body=f"got {KEY.decode()}"),
    "a failure in the stream": stream(sse.failed("invalid_prompt", f"key {KEY.decode()}")),
    "the model's name": reply(404, body={"error": {"code": "model_not_found", "message": KEY.decode()}}),
    "a long body": reply(400, body="x" * 590 + KEY.decode()),
    "a secret header": reply(400, body="X-Token: header-0123456789, X-Team: blue-0123456789"),
    "a header from the environment": reply(400, body="X-Org: org-0123456789"),
}


@pytest.mark.parametrize("case", ECHOES)
def test_a_secret_that_the_provider_repeats_is_not_shown(case: str) -> None:
    environ = {b"MINE": KEY, b"ORG": b"org-0123456789"}

    async def main(url: str) -> None:
        provider = Provider(
            id="p",
            name="P",
            base_url=url,
            env_key="MINE",
            http_headers={"X-Token": "Bearer header-0123456789", "X-Team": "blue-0123456789"},
            env_http_headers={"X-Org": "ORG"},
        )
        client = HttpModelClient(provider, ResponsesWire(provider), environ)
        try:
            async with client.stream(PROMPT) as answer:
                async for _ in answer:
                    pass
        finally:
            await client.aclose()

    with ScriptedUpstream([ECHOES[case]]) as upstream, pytest.raises(ModelError) as caught:
        anyio.run(main, upstream.base_url)
    shown = str(caught.value)
    assert not any(secret in shown for secret in ("key-of-a", "header-0", "org-0"))
    assert ("blue-0123456789" in shown) == (case == "a secret header")


def test_a_secret_that_contains_another_is_hidden_completely() -> None:
    secrets = EchoedSecrets(b"azzzzzzzzz", {b"x-token": b"zzzzzzzz", b"x-key": b"short"}, [])
    assert secrets.hidden_in("azzzzzzzzz zzzzzzzz short \udc80") == "[hidden] [hidden] short \udc80"
