"""The API key in a separate process: `code-responses-api-proxy`, started for this process and ended with it.

The key is moved from the environment to the child's standard input and erased here, so that
nothing the agent runs can read it. This process, which holds the token that authorises use of
the key, closes its memory to others. The child exits when that pipe closes, so it ends however
this process ends.
"""

import json
import logging
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import IO
from urllib.parse import urlencode

import anyio

from code_core.errors import ConfigError, RequestRefused
from code_core.frozen import frozen
from code_core.model.network import proxy_for, without_proxies
from code_core.model.providers import Provider
from code_core.model.saved_keys import SavedKeys
from code_core.protocol.policies import KeyIsolation

_log = logging.getLogger("code_core")

PROXY = "code_responses_api_proxy"
START_SECONDS = 15.0
CLOSE_SECONDS = 2.0
MAX_BODY_MIB = 1024


@frozen
class Endpoint:
    """The URL for requests, and the token to authenticate with."""

    url: str
    authorization: bytes | None
    query_params: Mapping[str, str]

    @property
    def url_with_query(self) -> str:
        """The URL of a request."""
        return f"{self.url}?{urlencode(self.query_params)}" if self.query_params else self.url


class KeyProxy:
    """One child process, for one upstream URL.

    Args:
        provider: the provider whose key it holds.
        key: written to the child, then zeroed.
        environ: names an internet proxy and trusted certificates.

    Raises:
        ConfigError: the internet proxy cannot be used.
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
        assert self._child.stdin is not None  # noqa: S101 - both are pipes
        assert self._child.stdout is not None  # noqa: S101 - as above
        self._life, self._answer = self._child.stdin, self._child.stdout
        with suppress(BrokenPipeError):  # it has exited; `endpoint` reports why
            self._life.write(key)
            self._life.write(b"\n")
        key[:] = bytes(len(key))

    async def endpoint(self) -> Endpoint:
        """Return the child's endpoint, waiting until it listens.

        Raises:
            RequestRefused: the child did not start or has exited.
        """
        async with self._lock:
            if self._endpoint is None:
                self._endpoint = await self._started()
        if self._child.poll() is not None:
            raise RequestRefused(
                f"the process that holds the API key has ended: {self._last_line()}. Start again."
            )
        return self._endpoint

    def close(self) -> None:
        """Stop the child."""
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
            raise RequestRefused(f"the process that holds the API key did not start: {self._last_line()}")
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

    def _last_line(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(4096).decode("utf-8", "replace").splitlines()
        code = self._child.poll()
        return lines[-1] if lines else "it printed nothing" if code is None else f"exit code {code}"


class KeyProxies:
    """The keys that this process removed from its environment, shared by all conversations.

    A Responses API key is held by a child process, one for each upstream URL. The child forwards
    nothing else, so a Chat Completions key stays here, in memory that other processes cannot read.

    Args:
        saved: returns the keys that `code login` saved, for variables that are not set.
    """

    def __init__(self, saved: Callable[[], SavedKeys] | None = None) -> None:
        self._saved = saved
        self._running: dict[tuple[str, str], KeyProxy] = {}
        self._held: dict[str, bytes] = {}

    def hold(
        self, provider: Provider, wanted: KeyIsolation, environ: Mapping[str, str] = os.environ
    ) -> bytes | None:
        """Return the key that this process sends itself, or None if it stays in the environment or a child has it.

        The key of a Chat Completions provider is removed from the environment.

        From then on, no other process of the user can read this one's memory or debug it (Linux).

        Raises:
            ConfigError: the key is missing.
        """
        name = provider.env_key
        if name is None or provider.wire_api == "responses" or wanted == "never" or os.name != "posix":
            is_running = (name, _upstream_url(provider)) in self._running
            return None if is_running else self._saved_key(provider)
        if name not in self._held:
            if provider.is_loopback:
                return self._saved_key(provider)
            take = self._taking(provider, environ)
            from code_process_hardening import HardeningError, deny_memory_access

            try:
                deny_memory_access()
            except HardeningError as error:
                _log.warning("the memory of this process stays open to others: %s", error)
            key = take()
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

    def _saved_key(self, provider: Provider) -> bytes | None:
        """The key of `code login`, unless the environment has one.

        Raises:
            ConfigError: it cannot be read, or cannot be a key.
        """
        if self._saved is None or os.environ.get(provider.env_key or "", "").strip():
            return None
        saved = self._saved().read(provider)
        return None if saved is None else bytes(saved)

    def _taking(self, provider: Provider, environ: Mapping[str, str]) -> Callable[[], bytearray]:
        """Return a function that takes the key from where it is: held here, in the environment, or saved.

        Raises:
            ConfigError: it is missing, or cannot be a key; it stays where it is.
        """
        name = provider.env_key
        assert name is not None  # noqa: S101 - a provider with a key
        if (held := self._held.get(name)) is not None:
            return partial(bytearray, held)
        if (saved := self._saved_key(provider)) is not None:
            return partial(bytearray, saved)
        self._check_free(provider, environ)
        provider.api_key(os.environb)
        return partial(_taken, name)

    def isolate(
        self, provider: Provider, wanted: KeyIsolation, environ: Mapping[str, str] = os.environ
    ) -> KeyProxy | None:
        """Return the child that holds the provider's key, erasing its environment variable, or None without a key.

        From then on, no other process of the user can read this one's memory or debug it (Linux).

        `auto` isolates the key of a provider that is not on this machine, if the proxy is installed.

        Raises:
            ConfigError: the key is missing or cannot be isolated as configured.
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
            from code_process_hardening import HardeningError, deny_memory_access

            take = self._taking(provider, environ)
            proxy_for(provider.request_url, environ)  # raises while the key is still where it was
            try:
                deny_memory_access()
            except HardeningError as error:
                raise ConfigError(
                    f'the key cannot be isolated: {error}; set key_isolation = "never" to run without it'
                ) from error
            self._running[name] = KeyProxy(provider, take(), environ)
        return self._running[name]

    def close(self) -> None:
        """Stop all children."""
        while self._running:
            self._running.popitem()[1].close()


def _taken(name: str) -> bytearray:
    from code_process_hardening import take_variable

    key = take_variable(name)
    assert key is not None  # noqa: S101 - it was there a moment ago
    return key


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
