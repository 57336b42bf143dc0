"""The SDK's errors as this package's."""

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from code_mcp_client.errors import InvalidResult, RequestFailed


@contextmanager
def translated(method: str) -> Iterator[None]:
    """For the time of a request: the server's error, and a result that is not one, under our names."""
    try:
        yield
    except MCPError as error:
        raise RequestFailed(method, error.code, error.message, error.data) from error
    except ValidationError as error:
        raise InvalidResult(f"{method}: the MCP server's result is not one: {_first_fault(error)}") from error


def _first_fault(error: ValidationError) -> str:
    """One line, without the result."""
    fault = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
