"""Checks whether a provider is reachable, without sending a key."""

import os
import time

import anyio

from code_core.errors import ConfigError, ModelError
from code_core.model.errors import HttpError
from code_core.model.network import (
    CERTIFICATE_ADVICE,
    certificate_problem,
    http_client,
    reason_of,
    through_proxy,
)
from code_core.model.providers import Provider
from code_core.wire.errors import InvalidUrlError

SECONDS = 10.0


async def reach(provider: Provider) -> str:
    """Return the status and response time of the base URL; any status counts as reachable.

    Raises:
        ModelError: no answer within 10 seconds.
    """
    begun = time.perf_counter()
    try:
        with anyio.fail_after(SECONDS):
            async with (
                await http_client(provider.base_url, os.environ, SECONDS) as http,
                http.get(provider.base_url, {}) as response,
            ):
                status = response.status
    except TimeoutError:
        raise ModelError(f"{provider.base_url} did not answer within {SECONDS:g} seconds") from None
    except (HttpError, InvalidUrlError, ConfigError, OSError, ValueError) as error:
        reason = reason_of(error)
        if (problem := certificate_problem(error)) is not None:
            reason = f"its certificate is not trusted ({problem}): {CERTIFICATE_ADVICE}"
        through = through_proxy(provider.base_url, os.environ)
        raise ModelError(f"{provider.base_url} cannot be reached{through}: {reason}") from error
    return f"answers (status {status}) after {(time.perf_counter() - begun) * 1e3:.0f} ms"
