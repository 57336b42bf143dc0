"""Requests that the server answers with questions: answers them and repeats the request.

Since 2026-07-28, this replaces requests from the server.
Source: MCP 2026-07-28, "Multi Round-Trip Requests".
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import ErrorData, InputRequest
from pydantic import BaseModel, TypeAdapter, ValidationError

from code_mcp_client.errors import InvalidResult

MOST_ROUNDS = 10
FIRST_DELAY, LONGEST_DELAY = 0.05, 0.25
"""Delay between rounds in which the server asks nothing but wants the request repeated."""

Params = dict[str, Any]
Send = Callable[[Params], Awaitable[dict[str, Any]]]

_QUESTION: TypeAdapter[InputRequest] = TypeAdapter(InputRequest)


async def completed(session: ClientSession, method: str, params: Params, send: Send) -> dict[str, Any]:
    """Return the final result of a request, after at most 10 rounds of questions.

    Args:
        session: its callbacks answer the questions.
        method: the method, for errors.
        params: the parameters of the first round.
        send: sends one round.

    Raises:
        MCPError: the server refuses the request, or a callback refuses a question.
        InvalidResult: the server keeps asking, or its result is neither final nor a question.
    """
    result, delay = await send(params), FIRST_DELAY
    for number in range(MOST_ROUNDS):
        match result.get("resultType", "complete"):
            case "complete":
                return result
            case "input_required":
                pass
            case other:
                raise InvalidResult(
                    f"{method}: the MCP server's result is of an unknown type: {str(other)[:100]!r}"
                )
        questions, state = result.get("inputRequests"), result.get("requestState")
        if questions:
            answers = await _answers(session, method, questions, number)
            delay = FIRST_DELAY
        elif state is not None:
            answers = None
            await anyio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
        else:
            raise InvalidResult(f"{method}: the MCP server requires input but does not say which")
        more = {} if answers is None else {"inputResponses": answers}
        result = await send({**params, **more, **({} if state is None else {"requestState": state})})
    if result.get("resultType", "complete") == "complete":
        return result
    raise InvalidResult(f"{method}: the MCP server required input more than {MOST_ROUNDS} times")


async def _answers(session: ClientSession, method: str, questions: Any, round_number: int) -> dict[str, Any]:
    """The answers to all questions of a round, asked concurrently; the first refusal cancels the others."""
    if not isinstance(questions, Mapping):
        raise InvalidResult(f"{method}: the MCP server's questions are not an object")
    answers: dict[str, Any] = {}
    refused: list[ErrorData] = []

    async def ask(key: str, question: InputRequest) -> None:
        meta = question.params.meta if question.params else None
        context = ClientRequestContext(
            session=session, request_id=f"{method}-{round_number}-{key}", meta=meta
        )
        answer = await session.dispatch_input_request(context, question)
        if isinstance(answer, ErrorData):
            refused.append(answer)
            tasks.cancel_scope.cancel()
            return
        assert isinstance(answer, BaseModel)  # noqa: S101 - as all results in the SDK
        answers[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)

    parsed: dict[str, InputRequest] = {}
    for key, question in questions.items():
        try:
            parsed[str(key)] = _QUESTION.validate_python(question)
        except ValidationError:
            raise InvalidResult(
                f"{method}: the MCP server's question {str(key)[:100]!r} is invalid"
            ) from None
    async with anyio.create_task_group() as tasks:
        for key, one in parsed.items():
            tasks.start_soon(ask, key, one)
    if refused:
        raise MCPError.from_error_data(refused[0])
    return answers
