"""The API key in a process of its own: `code-responses-api-proxy`, started for this process and ended with it.

The key goes from the environment into the child's standard input and is erased
here, so that nothing the agent runs can read it. This process, which knows the token
that spends the key, closes its memory to others. The child's other end of that pipe is
its life: whatever ends this process ends the child.
"""

import json
import logging
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import IO
from urllib.parse import urlencode

import anyio

from code_core.errors import ConfigError, RequestRefused
from code_core.frozen import frozen
from code_core.model.network import proxy_for, without_proxies
from code_core.model.providers import Provider
from code_core.protocol.policies import KeyIsolation

_log = logging.getLogger("code_core")

PROXY = "code_responses_api_proxy"
START_SECONDS = 15.0
CLOSE_SECONDS = 2.0
MAX_BODY_MIB = 1024


@frozen
class Endpoint:
    """Where requests go, and what they show there."""

    url: str
    authorization: bytes | None
    query_params: Mapping[str, str]

    @property
    def url_with_query(self) -> str:
        """The URL of a request."""
        return f"{self.url}?{urlencode(self.query_params)}" if self.query_params else self.url


class KeyProxy:
    """One child, for one upstream URL.

    Args:
        provider: whose key it holds.
        key: is written to the child, then zeroed.
        environ: names a proxy to the internet and certificates to trust.

    Raises:
        ConfigError: the proxy to the internet cannot be used.
    """

    def __init__(self, provider: Provider, key: bytearray, environ: Mapping[str, str]) -> None:
        from tempfile import TemporaryFile

        proxy = proxy_for(provider.request_url, environ)
        self._errors: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed with the child
        self._endpoint: Endpoint | None = None
        self._lock = anyio.Lock()
        self._child = subprocess.Popen(
            _command(provider, environ, proxy),
            env=without_proxies(os.environ, proxy),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
        )
        assert self._child.stdin is not None  # noqa: S101 - pipes, both
        assert self._child.stdout is not None  # noqa: S101 - as above
        self._life, self._answer = self._child.stdin, self._child.stdout
        with suppress(BrokenPipeError):  # it has ended: `endpoint` tells why
            self._life.write(key)
            self._life.write(b"\n")
        key[:] = bytes(len(key))

    async def endpoint(self) -> Endpoint:
        """Where the child listens; waits for it.

        Raises:
            RequestRefused: it did not start, or has ended.
        """
        async with self._lock:
            if self._endpoint is None:
                self._endpoint = await self._started()
        if self._child.poll() is not None:
            raise RequestRefused(
                f"the process that holds the API key has ended: {self._said()}. Start again."
            )
        return self._endpoint

    def close(self) -> None:
        """End the child."""
        self._life.close()
        try:
            self._child.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._answer.close()
        self._errors.close()

    async def _started(self) -> Endpoint:
        line = b""
        with anyio.move_on_after(START_SECONDS):
            line = await self._line()
        if not line.endswith(b"\n"):
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(0.1)
            raise RequestRefused(f"the process that holds the API key did not start: {self._said()}")
        facts = json.loads(line)
        return Endpoint(
            url=f"http://127.0.0.1:{facts['port']}/v1/responses",
            authorization=b"Bearer " + facts["token"].encode("ascii"),
            query_params={},
        )

    async def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            await anyio.wait_readable(self._answer)
            if not (data := self._answer.read(4096)):
                break
            line += data
        return line

    def _said(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(4096).decode("utf-8", "replace").splitlines()
        code = self._child.poll()
        return lines[-1] if lines else "it says nothing" if code is None else f"exit code {code}"


class KeyProxies:
    """The keys that this process took out of its environment, shared by all conversations.

    A key of the Responses API is with a child, one for each upstream URL. The child forwards
    nothing else, so that a key of Chat Completions stays here, in memory that others cannot read.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], KeyProxy] = {}
        self._held: dict[str, bytes] = {}

    def hold(
        self, provider: Provider, wanted: KeyIsolation, environ: Mapping[str, str] = os.environ
    ) -> bytes | None:
        """The key of a provider of Chat Completions, its environment variable erased; None where it stays there.

        From then on no other process of the user can read this one's memory, or debug it (Linux).

        Raises:
            ConfigError: the key is missing.
        """
        name = provider.env_key
        if name is None or provider.wire_api == "responses" or wanted == "never" or os.name != "posix":
            return None
        if name not in self._held:
            if provider.is_loopback:
                return None
            self._check_free(provider, environ)
            provider.api_key(os.environb)  # raises while the variable is still there
            from code_process_hardening import HardeningError, deny_memory_access, take_variable

            try:
                deny_memory_access()
            except HardeningError as error:
                _log.warning("the memory of this process stays open to others: %s", error)
            key = take_variable(name)
            assert key is not None  # noqa: S101 - as was just seen
            self._held[name] = bytes(key).strip()
            key[:] = bytes(len(key))
        return self._held[name]

    def _check_free(self, provider: Provider, environ: Mapping[str, str]) -> None:
        """Raises: ConfigError: a child has the key already."""
        taken_by = next((url for variable, url in self._running if variable == provider.env_key), None)
        if taken_by is not None and provider.env_key not in environ:
            raise ConfigError(
                f"the key in {provider.env_key} is locked in the proxy for {taken_by}, so provider "
                f'{provider.id!r} cannot have it: set key_isolation = "never", or use another variable'
            )

    def isolate(
        self, provider: Provider, wanted: KeyIsolation, environ: Mapping[str, str] = os.environ
    ) -> KeyProxy | None:
        """The child that holds the provider's key, its environment variable erased; None without a key.

        From then on no other process of the user can read this one's memory, or debug it (Linux).

        `auto` isolates the key of a provider that is not on this machine, where the proxy is installed.

        Raises:
            ConfigError: the key is missing, or cannot be isolated as wanted.
        """
        if provider.wire_api != "responses":
            if wanted == "always" and provider.env_key is not None:
                raise ConfigError(
                    'key_isolation = "always" needs wire_api = "responses", the only one that the proxy forwards: '
                    f"provider {provider.id!r} has {provider.wire_api!r}"
                )
            return None
        if provider.env_key is None or not _applies(provider, wanted):
            return None
        name = (provider.env_key, _upstream_url(provider))
        if name not in self._running:
            from code_process_hardening import HardeningError, deny_memory_access, take_variable

            held = self._held.get(provider.env_key)
            if held is None:
                self._check_free(provider, environ)
                provider.api_key(os.environb)  # raises while the variable is still there
            proxy_for(provider.request_url, environ)  # the same
            try:
                deny_memory_access()
            except HardeningError as error:
                raise ConfigError(
                    f'the key cannot be isolated: {error}; set key_isolation = "never" to run without it'
                ) from error
            key = take_variable(provider.env_key) if held is None else bytearray(held)
            assert key is not None  # noqa: S101 - as was just seen
            self._running[name] = KeyProxy(provider, key, environ)
        return self._running[name]

    def close(self) -> None:
        """End all children."""
        while self._running:
            self._running.popitem()[1].close()


def _applies(provider: Provider, wanted: KeyIsolation) -> bool:
    is_possible = os.name == "posix"
    if wanted == "always" and not is_possible:
        raise ConfigError('key_isolation = "always" is not available on this system')
    return wanted == "always" or (wanted == "auto" and not provider.is_loopback and is_possible)


def _command(provider: Provider, environ: Mapping[str, str], proxy: str | None) -> list[str]:
    from code_process_hardening import isolated_command

    options = ["--upstream-url", _upstream_url(provider), "--max-body-mib", str(MAX_BODY_MIB)]
    options += ["--server-info", "-", "--require-token", "--exit-on-eof"]
    if certificates := environ.get("SSL_CERT_FILE"):
        options += ["--ca-file", certificates]
    if proxy is not None:
        options += ["--use-env-proxy"]
    return isolated_command(PROXY, options)


def _upstream_url(provider: Provider) -> str:
    return Endpoint(provider.request_url, None, provider.query_params).url_with_query
