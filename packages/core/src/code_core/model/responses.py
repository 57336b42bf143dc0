"""The Responses API over HTTP."""

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import anyio
from pydantic_core import from_json

from code_core.errors import ModelError, RequestRefused, StreamBroken
from code_core.model.key_proxy import Endpoint, KeyProxy
from code_core.model.providers import Provider
from code_core.model.rate_limits import rate_limit_snapshot
from code_core.model.retry import RetryLimits, retry_after
from code_core.version import USER_AGENT, VERSION
from code_core.wire.errors import SseOverflowError
from code_core.wire.prompt import Prompt
from code_core.wire.response_events import RateLimits, ResponseEvent
from code_core.wire.responses import ResponseReader, failure_of, request_json
from code_core.wire.retry_hint import retry_delay
from code_core.wire.sse import SseParser

if TYPE_CHECKING:
    import httpx2

    from code_core.model.record import Recorder

_log = logging.getLogger("code_core")

CONNECT_TIMEOUT = 30.0
MAX_RESPONSE_BYTES = 512 * 2**20
ERROR_BODY_LIMIT = 64 * 1024
ERROR_EXCERPT = 600


class ResponsesClient:
    """Asks a provider that speaks the Responses API.

    Args:
        provider: where to ask.
        environ: the environment as bytes, for the key and the headers taken from it.
        recorder: gets every event, for a later replay.
        key_proxy: holds the key, so that it is not in this process.

    Raises:
        ConfigError: the provider needs a key and the environment has none, or holds what no header can.
    """

    def __init__(
        self,
        provider: Provider,
        environ: Mapping[bytes, bytes] = os.environb,
        recorder: "Recorder | None" = None,
        key_proxy: KeyProxy | None = None,
    ) -> None:
        self._provider = provider
        self._recorder = recorder
        self._key_proxy = key_proxy
        self._key = provider.api_key(environ) if key_proxy is None else None
        self._configured = provider.headers(environ)
        self._http: httpx2.AsyncClient | None = None
        self._requests = 0

    @property
    def retry_limits(self) -> RetryLimits:
        """See `ModelClient.retry_limits`."""
        return RetryLimits(self._provider.request_max_retries, self._provider.stream_max_retries)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._recorder is not None:
            self._recorder.close()
        if self._http is not None:
            await self._http.aclose()

    @asynccontextmanager
    async def stream(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[ResponseEvent]]:
        """See `ModelClient.stream`."""
        body = request_json(prompt, store=self._provider.stores_responses)
        self._requests += 1
        response = await self._post(body, prompt)
        exchange = self._recorder.exchange() if self._recorder else nullcontext()
        events = self._events(response, ResponseReader(self._requests))
        try:
            with exchange:
                yield events
        finally:
            with anyio.CancelScope(shield=True):
                await events.aclose()
                await response.aclose()

    async def _events(
        self, response: "httpx2.Response", reader: ResponseReader
    ) -> AsyncGenerator[ResponseEvent]:
        if snapshot := rate_limit_snapshot(response.headers):
            yield RateLimits(snapshot)
        parser = SseParser()
        async with aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                try:
                    events = parser.feed(chunk)
                except SseOverflowError as error:
                    raise RequestRefused(f"{self._where}: {error}") from error
                for event in events:
                    if self._recorder:
                        self._recorder.event(event.data)
                    if (response_event := reader.feed(event.data)) is not None:
                        yield response_event
                    if reader.completed:
                        return
        reader.end()

    async def _chunks(self, response: "httpx2.Response") -> AsyncGenerator[bytes]:
        import httpx2

        chunks = response.aiter_bytes()
        idle = self._provider.stream_idle_timeout
        received = 0
        while True:
            try:
                with anyio.fail_after(idle):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise StreamBroken(f"{self._where} sent nothing for {idle:g} seconds") from None
            except httpx2.RequestError as error:
                raise StreamBroken(f"{self._where}: the stream broke: {_reason(error)}") from error
            if chunk is None:
                return
            received += len(chunk)
            if received > MAX_RESPONSE_BYTES:
                raise RequestRefused(
                    f"{self._where} sent more than {MAX_RESPONSE_BYTES // 2**20} MiB in one response"
                )
            yield chunk

    async def _post(self, body: bytes, prompt: Prompt) -> "httpx2.Response":
        import httpx2

        try:
            http = self._client()  # what takes a moment, while the key's process starts
            endpoint = await self._endpoint()
            request = http.build_request(
                "POST",
                endpoint.url,
                params=dict(endpoint.query_params) or None,
                content=body,
                headers=self._headers(prompt, endpoint.authorization),
            )
            with anyio.fail_after(self._provider.stream_idle_timeout):
                response = await http.send(request, stream=True)
        except TimeoutError:
            raise StreamBroken(f"{self._where} did not answer", opened=False) from None
        except (OSError, ValueError) as error:
            raise RequestRefused(
                f"{self._where}: no connection can be set up: {_reason(error)} "
                "(check SSL_CERT_FILE, SSL_CERT_DIR and the HTTP proxy variables)"
            ) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise RequestRefused(f"{self._where} is not a URL that can be asked: {_reason(error)}") from error
        except httpx2.RequestError as error:
            raise StreamBroken(f"{self._where} cannot be reached: {_reason(error)}", opened=False) from error
        if response.status_code == 200:
            return response
        try:
            raise await self._refusal(response)
        finally:
            await response.aclose()

    async def _endpoint(self) -> Endpoint:
        if self._key_proxy is not None:
            return await self._key_proxy.endpoint()
        authorization = None if self._key is None else b"Bearer " + self._key
        return Endpoint(self._provider.responses_url, authorization, self._provider.query_params)

    async def _refusal(self, response: "httpx2.Response") -> ModelError:
        """The error that an answer other than 200 stands for."""
        text = await _error_body(response)
        status = response.status_code
        request_id = response.headers.get("x-request-id") or "none"
        described = f"{self._where} answered {status} (request id {request_id})"
        error = _api_error(text)
        kind = str(error.get("type"))
        message = str(error.get("message") or text[:ERROR_EXCERPT] or "no body")[:ERROR_EXCERPT]
        match status:
            case _ if kind == "proxy_error" and self._key_proxy is not None:
                return StreamBroken(f"{self._where} cannot be reached: {message}", opened=False)
            case 401:
                return RequestRefused(f"{described}: {message}. Check the API key{self._key_source}.")
            case 429 if kind in {"usage_limit_reached", "usage_not_included"}:
                return RequestRefused(f"{described}: {_usage_limit(error)}")
            case 429 if error.get("code") == "insufficient_quota":
                return RequestRefused(f"{described}: {failure_of(error)}")
            case 408 | 409 | 429 | 500 | 502 | 503 | 504:
                delay = retry_after(response.headers.get("retry-after"))
                if delay is None:
                    delay = retry_delay(message)
                return StreamBroken(f"{described}: {message}", delay=delay, opened=False)
            case _ if status > 504:
                return StreamBroken(f"{described}: {message}", opened=False)
            case _ if error.get("code") == "context_length_exceeded":
                return failure_of(error)
            case _:
                return RequestRefused(f"{described}: {message}")

    def _client(self) -> "httpx2.AsyncClient":
        import httpx2

        if self._http is None:
            # Building a TLS context reads every CA file: not for an endpoint without TLS on this machine.
            plain = self._key_proxy is not None or (
                self._provider.is_loopback and self._provider.base_url.startswith("http:")
            )
            self._http = httpx2.AsyncClient(
                verify=not plain,
                trust_env=not plain,
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
            )
        return self._http

    def _headers(self, prompt: Prompt, authorization: bytes | None) -> dict[bytes, bytes]:
        official = self._provider.base_url.startswith("https://api.openai.com/")
        headers = {
            "accept": "text/event-stream",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "conversation_id": prompt.conversation_id,
            "openai-beta": "responses=v1" if official else "responses=experimental",
            "originator": "code_py",
            "session_id": prompt.conversation_id,
            "user-agent": USER_AGENT,
            "version": VERSION,
        }
        merged = {name.lower().encode("ascii"): value.encode("ascii") for name, value in headers.items()}
        merged |= self._configured
        if authorization is not None:
            merged[b"authorization"] = authorization
        return merged

    @property
    def _where(self) -> str:
        return f"{self._provider.name} ({self._provider.base_url})"

    @property
    def _key_source(self) -> str:
        return f" in {self._provider.env_key}" if self._provider.env_key else ""


async def _error_body(response: "httpx2.Response") -> str:
    """The start of an error's body; an error while reading it leaves what was read."""
    import httpx2

    body = bytearray()
    try:
        with anyio.move_on_after(CONNECT_TIMEOUT):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) >= ERROR_BODY_LIMIT:
                    break
    except httpx2.HTTPError as error:
        _log.debug("reading an error's body: %s", _reason(error))
    return body[:ERROR_BODY_LIMIT].decode("utf-8", "replace").strip()


def _api_error(text: str) -> dict[str, Any]:
    try:
        body = from_json(text)
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _usage_limit(error: dict[str, Any]) -> str:
    if error.get("type") == "usage_not_included":
        return "the plan does not include this use: upgrade it or use an API key"
    plan = f" of plan {error['plan_type']!r}" if isinstance(error.get("plan_type"), str) else ""
    seconds = error.get("resets_in_seconds")
    when = f"; it resets in {seconds // 60} minutes" if isinstance(seconds, int) else ""
    return f"the usage limit{plan} is reached{when}"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
