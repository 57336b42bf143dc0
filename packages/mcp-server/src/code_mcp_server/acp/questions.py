"""Asks the client the engine's questions, and converts its answers to operations.

A question that is too long to be shown completely is declined, because nobody may approve what they
have not seen.
"""

import logging
from dataclasses import dataclass

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.elicitation import can_be_asked, elicitation_answer, elicitation_request
from code_core.acp.permissions import permission_decision, permission_request
from code_core.protocol.answer_ops import UserInputAnswer
from code_core.protocol.approval_events import ApprovalRequest, ExecApprovalRequest
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ExecApproval, Op, PatchApproval, ResolveElicitation
from code_core.protocol.policies import ReviewDecision
from code_core.protocol.question_events import RequestUserInput
from code_core.session.conversation import Conversation
from code_core.view.question_form import form_answer, form_schema, form_text, no_answer
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.outgoing import fits
from code_mcp_server.jsonrpc import Code, JsonObject, RpcError

_log = logging.getLogger("code_core")

Question = ApprovalRequest | ElicitationRequest | RequestUserInput
TOO_LONG = "the editor cannot show this question completely, so it cannot be approved: work in smaller steps"


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to a question.

    Attributes:
        op: the operation that passes it to the engine.
        denied_call: the tool call that will not run, if it was denied.
    """

    op: Op
    denied_call: str | None = None


class Questioner:
    """Asks one client the questions of one conversation."""

    def __init__(
        self, conversation: Conversation, connection: Connection, client: ClientCapabilities
    ) -> None:
        self._conversation = conversation
        self._connection = connection
        self._client = client

    async def ask(self, question: Question) -> Asked:
        """Return the client's answer, however long it takes; questions that cannot be asked or understood are declined."""
        if isinstance(question, RequestUserInput):
            return Asked(await self._ask_for_model(question))
        if isinstance(question, ElicitationRequest):
            return Asked(await self._elicit(question))
        decision, feedback = await self._decision(question)
        allowed = decision not in {ReviewDecision.DENIED, ReviewDecision.ABORT}
        denied = None if allowed else question.call_id
        if isinstance(question, ExecApprovalRequest):
            return Asked(ExecApproval(id=question.approval_id, decision=decision, feedback=feedback), denied)
        return Asked(PatchApproval(id=question.approval_id, decision=decision, feedback=feedback), denied)

    async def _decision(self, question: ApprovalRequest) -> tuple[ReviewDecision, str | None]:
        params = permission_request(self._conversation.id, question)
        if not fits(params):
            return ReviewDecision.DENIED, TOO_LONG
        try:
            answer = await self._connection.request("session/request_permission", params)
        except RpcError as error:
            _log.warning("the client refused to ask for permission: %s", error)
            return (ReviewDecision.ABORT if error.code == Code.CANCELLED else ReviewDecision.DENIED), None
        decision = permission_decision(answer)
        if decision is None:
            _log.warning("the client's answer to a permission request is not one of the options")
        return decision or ReviewDecision.DENIED, None

    async def _ask_for_model(self, question: RequestUserInput) -> UserInputAnswer:
        params: JsonObject = {
            "mode": "form",
            "sessionId": self._conversation.id,
            "message": form_text(question).markdown,
            "requestedSchema": form_schema(question),
        }
        if not self._client.forms or not fits(params):
            return no_answer(question)
        try:
            answer = await self._connection.request("elicitation/create", params)
        except RpcError as error:
            _log.warning("the client refused a question of the model: %s", error)
            return no_answer(question)
        match answer:
            case {"action": "accept", "content": dict(content)}:
                return form_answer(question, content)
            case _:
                return no_answer(question)

    async def _elicit(self, question: ElicitationRequest) -> ResolveElicitation:
        params: JsonObject = elicitation_request(self._conversation.id, question)
        asks = self._client.forms if question.url is None else self._client.urls
        if not asks or not can_be_asked(question) or not fits(params):
            return ResolveElicitation(id=question.id, action="decline")
        try:
            answer = await self._connection.request("elicitation/create", params)
        except RpcError as error:
            _log.warning("the client refused a question of the MCP server %s: %s", question.server, error)
            return ResolveElicitation(id=question.id, action="decline")
        return elicitation_answer(question, answer)
