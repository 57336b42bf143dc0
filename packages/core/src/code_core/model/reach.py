"""Whether a provider can be reached, asked without a key."""

import time

from code_core.errors import ModelError
from code_core.model.providers import Provider

SECONDS = 10.0


async def reach(provider: Provider) -> str:
    """What the base URL answers with, and after how long; any status will do.

    Raises:
        ModelError: there is no answer within 10 seconds.
    """
    import httpx2

    begun = time.perf_counter()
    try:
        async with (
            httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as http,
            http.stream("GET", provider.base_url) as response,
        ):
            status = response.status_code
    except (httpx2.RequestError, OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ModelError(f"{provider.base_url} cannot be reached: {reason}") from error
    return f"answers (status {status}) after {(time.perf_counter() - begun) * 1e3:.0f} ms"
