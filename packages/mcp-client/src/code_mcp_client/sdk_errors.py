"""Translates the SDK's errors to this package's."""

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from code_mcp_client.errors import InvalidResult, RequestFailed


@contextmanager
def translated(method: str) -> Iterator[None]:
    """Translate the server's error, and an invalid result, raised during a request."""
    try:
        yield
    except MCPError as error:
        raise RequestFailed(method, error.code, error.message, error.data) from error
    except ValidationError as error:
        raise InvalidResult(f"{method}: the MCP server's result is invalid: {_first_fault(error)}") from error


def _first_fault(error: ValidationError) -> str:
    """The first validation error on one line, without the result."""
    fault = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
