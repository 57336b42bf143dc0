"""A model over HTTP: what all wires share.

This includes the key and the proxy, error handling, the idle timeout, request ids, the log and
recording. A `Wire` only writes requests and reads answers.
"""

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import anyio

from code_core.errors import ModelError, RequestRefused, StreamBroken
from code_core.model.echoed_secrets import EchoedSecrets
from code_core.model.errors import ConnectError, HttpError
from code_core.model.event_stream import EventStream
from code_core.model.key_proxy import Endpoint, KeyProxy
from code_core.model.network import certificate_problem, http_client, proxy_for, reason_of, through_proxy
from code_core.model.providers import Provider
from code_core.model.rate_limits import rate_limit_snapshot
from code_core.model.refusals import Answer, refusal, request_id, untrusted
from code_core.model.request_log import RequestLog
from code_core.model.retry import RetryLimits
from code_core.model.served import names_a_model, served_models
from code_core.version import USER_AGENT, VERSION
from code_core.wire.content_coding import coding_problem
from code_core.wire.errors import InvalidUrlError
from code_core.wire.prompt import Prompt
from code_core.wire.reader import Reader
from code_core.wire.response_bounds import ResponseBounds
from code_core.wire.response_events import RateLimits, ResponseEvent, joined
from code_core.wire.sse import SseEvent

if TYPE_CHECKING:
    from code_core.model.http_client import HttpClient, HttpResponse
    from code_core.model.record import Recorder

_log = logging.getLogger("code_core")

CONNECT_TIMEOUT = 30.0
ERROR_BODY_LIMIT = 64 * 1024
REST_SECONDS = 5.0
"""Time limit for the remainder of a complete answer, such as its usage."""


class Wire(Protocol):
    """Encodes requests and decodes responses of one API."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers in addition to those of every request."""
        ...

    def request(self, prompt: Prompt) -> bytes:
        """Return the request body for `prompt`."""
        ...

    def reader(self, ordinal: int, prompt: Prompt) -> Reader:
        """Return a reader for the answer to request number `ordinal`."""
        ...

    def plain_answer(self, body: bytes) -> SseEvent | None:
        """Return the event for a complete JSON answer, or None if `body` is not one."""
        ...

    def learn(self, answer: Answer) -> bool:
        """Adapt to what `answer` rejects, and return whether a new request can succeed without it."""
        ...


class HttpModelClient:
    """Queries a provider.

    Args:
        provider: the endpoint.
        wire: its API.
        environ: the environment as bytes, for the key and the headers taken from it.
        recorder: receives every event, for a later replay.
        key_proxy: holds the key outside this process.
        key: the key, if it is no longer in the environment.

    Raises:
        ConfigError: the environment lacks a required key, contains a value that is invalid in a header,
            or names a proxy that cannot be used.
    """

    def __init__(
        self,
        provider: Provider,
        wire: Wire,
        environ: Mapping[bytes, bytes] = os.environb,
        recorder: "Recorder | None" = None,
        key_proxy: KeyProxy | None = None,
        key: bytes | None = None,
    ) -> None:
        self._provider = provider
        self._wire = wire
        self._recorder = recorder
        self._key_proxy = key_proxy
        self._key = key
        if key is None and key_proxy is None:
            self._key = provider.api_key(environ)
        self._configured = provider.headers(environ)
        self._secrets = EchoedSecrets(self._key, self._configured, provider.env_http_headers)
        self._network = {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}
        if key_proxy is None:
            # An invalid one is an error in the settings and is reported immediately.
            proxy_for(provider.request_url, self._network)
        self._http: HttpClient | None = None
        self._starting = anyio.Lock()
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
        try:
            async with self._streamed(prompt) as events:
                yield events
        except ModelError as error:
            self._secrets.hide_in(error)
            raise

    @asynccontextmanager
    async def _streamed(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[ResponseEvent]]:
        self._requests += 1
        while True:
            body = self._wire.request(prompt)
            log = RequestLog(self._provider.request_url, self._requests, len(body))
            try:
                response = await self._post(body, prompt, log)
                if isinstance(response, Answer):
                    if self._wire.learn(response):
                        continue
                    raise await self._refusal(response, prompt)
                exchange = self._recorder.exchange() if self._recorder else nullcontext()
                source = EventStream(
                    self._where, self._provider.stream_idle_timeout, log, self._wire.plain_answer
                )
                reader = self._wire.reader(self._requests, prompt)
                try:
                    async with (
                        source.reading(response) as batches,
                        aclosing(self._events(response.headers, batches, source, reader)) as events,
                    ):
                        with exchange:
                            yield events
                finally:
                    await response.aclose(is_whole=reader.finished)
            finally:
                log.ended()
            return

    async def _events(
        self,
        headers: Mapping[str, str],
        batches: AsyncIterator[list[SseEvent]],
        source: EventStream,
        reader: Reader,
    ) -> AsyncGenerator[ResponseEvent]:
        if snapshot := rate_limit_snapshot(headers):
            yield RateLimits(snapshot)
        bounds = ResponseBounds()
        try:
            async for batch in batches:
                for event in joined(self._read(batch, reader)):
                    self._check(bounds, event)
                    yield event
                if reader.finished:
                    break
                if reader.whole:
                    source.hurry(REST_SECONDS)
        except StreamBroken:
            if not reader.whole or reader.finished:
                raise
            _log.info("%s: the remainder of a complete answer did not arrive", self._where)
        for event in self._located(reader.end):
            self._check(bounds, event)
            yield event

    def _check(self, bounds: ResponseBounds, event: ResponseEvent) -> None:
        try:
            bounds.check(event)
        except ModelError as error:
            raise error.located(self._where) from None

    def _read(self, batch: Sequence[SseEvent], reader: Reader) -> Iterator[ResponseEvent]:
        for event in batch:
            if self._recorder:
                self._recorder.event(event)
            yield from self._located(reader.feed, event)
            if reader.finished:
                return

    def _located(self, read: Callable[..., list[ResponseEvent]], *arguments: SseEvent) -> list[ResponseEvent]:
        """Call `read`; errors name the provider."""
        try:
            return read(*arguments)
        except ModelError as error:
            raise error.located(self._where) from None

    async def _post(self, body: bytes, prompt: Prompt, log: RequestLog) -> "HttpResponse | Answer":
        """Return the response to read, or the answer of a provider that rejects the request."""
        try:
            http = await self._client()
            endpoint = await self._endpoint()
            headers = self._headers(prompt, endpoint.authorization)
            with anyio.fail_after(self._provider.stream_idle_timeout):
                response = await http.send("POST", endpoint.url_with_query, headers, body)
        except TimeoutError:
            raise StreamBroken(f"{self._where} did not answer", opened=False) from None
        except (OSError, ValueError) as error:
            raise RequestRefused(
                f"{self._where}: cannot set up a connection: {reason_of(error)} (check SSL_CERT_FILE and SSL_CERT_DIR)",
                code="provider",
            ) from error
        except InvalidUrlError as error:
            raise RequestRefused(f"{self._where} is not a valid URL: {error}", code="provider") from error
        except HttpError as error:
            raise self._unreachable(error) from error
        log.answered(response.status, request_id(response.headers))
        if response.status == 200 and (problem := coding_problem(response.headers)) is None:
            return response
        try:
            if response.status == 200:  # asking again would not change it
                raise RequestRefused(
                    f"{self._where}: {problem} (check any proxy in between)", code="provider"
                )
            text = self._secrets.hidden_in(await _error_body(response))
            return Answer(response.status, response.headers, text)
        finally:
            await response.aclose()

    def _unreachable(self, error: HttpError) -> ModelError:
        if (problem := certificate_problem(error)) is not None:
            return untrusted(self._where, problem)
        through = (
            "" if self._key_proxy is not None else through_proxy(self._provider.request_url, self._network)
        )
        reason = f"{self._where} cannot be reached{through}: {reason_of(error)}"
        if isinstance(error, ConnectError) and self._provider.start_hint and self._provider.is_loopback:
            # Nothing listens on this machine: waiting would only delay the advice.
            return RequestRefused(f"{reason}. {self._provider.start_hint}", code="provider")
        return StreamBroken(reason, opened=False)

    async def _refusal(self, answer: Answer, prompt: Prompt) -> ModelError:
        """Return the error for `answer`; if it concerns the model, include the models that the provider offers."""
        error = refusal(
            answer,
            self._where,
            self._key_source,
            datetime.now().astimezone(),
            key_proxy=self._key_proxy is not None,
        )
        if "does not support tools" in answer.body:
            advice = (
                f'choose a model that calls tools, or set models."{prompt.settings.model}".tool_form = "none"'
            )
            error.args = (f"{error}. To continue, {advice}",)
        if isinstance(error, RequestRefused) and self._key_proxy is None and names_a_model(answer):
            known = await served_models(
                await self._client(), self._provider, self._headers(prompt, self._bearer)
            )
            if known:
                error.args = (f"{error}. Models there: {', '.join(known)}",)
        return error

    async def _endpoint(self) -> Endpoint:
        if self._key_proxy is not None:
            return await self._key_proxy.endpoint()
        return Endpoint(self._provider.request_url, self._bearer, self._provider.query_params)

    @property
    def _bearer(self) -> bytes | None:
        return None if self._key is None else b"Bearer " + self._key

    async def _client(self) -> "HttpClient":
        async with self._starting:
            if self._http is None:
                url = "http://127.0.0.1" if self._key_proxy is not None else self._provider.request_url
                self._http = await http_client(url, self._network, CONNECT_TIMEOUT)
            return self._http

    def _headers(self, prompt: Prompt, authorization: bytes | None) -> dict[bytes, bytes]:
        headers = {
            "accept": "text/event-stream",
            "content-type": "application/json",
            "conversation_id": prompt.conversation_id,
            "originator": "code_py",
            "session_id": prompt.conversation_id,
            "user-agent": USER_AGENT,
            "version": VERSION,
            **self._wire.headers,
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
        return (
            f" in {self._provider.env_key}, or the one that code login saved"
            if self._provider.env_key
            else ""
        )


async def _error_body(response: "HttpResponse") -> str:
    """The start of an error body; if reading fails, whatever was read."""
    body = bytearray()
    try:
        with anyio.move_on_after(CONNECT_TIMEOUT):
            async for chunk in response.chunks():
                body += chunk
                if len(body) >= ERROR_BODY_LIMIT:
                    break
    except HttpError as error:
        _log.debug("reading an error's body: %s", reason_of(error))
    return body[:ERROR_BODY_LIMIT].decode("utf-8", "replace").strip()
