"""Checks whether a provider is reachable, without sending a key."""

import os
import time

from code_core.errors import ConfigError, ModelError
from code_core.model.network import (
    CERTIFICATE_ADVICE,
    certificate_problem,
    http_client,
    reason_of,
    through_proxy,
)
from code_core.model.providers import Provider

SECONDS = 10.0


async def reach(provider: Provider) -> str:
    """Return the status and response time of the base URL; any status counts as reachable.

    Raises:
        ModelError: no answer within 10 seconds.
    """
    import httpx2

    begun = time.perf_counter()
    try:
        async with (
            http_client(provider.base_url, os.environ, httpx2.Timeout(SECONDS)) as http,
            http.stream("GET", provider.base_url) as response,
        ):
            status = response.status_code
    except (httpx2.RequestError, ConfigError, OSError, ValueError) as error:
        reason = reason_of(error)
        if (problem := certificate_problem(error)) is not None:
            reason = f"its certificate is not trusted ({problem}): {CERTIFICATE_ADVICE}"
        through = through_proxy(provider.base_url, os.environ)
        raise ModelError(f"{provider.base_url} cannot be reached{through}: {reason}") from error
    return f"answers (status {status}) after {(time.perf_counter() - begun) * 1e3:.0f} ms"
