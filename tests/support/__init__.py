"""Support for the tests of several packages: a scripted model and its rules."""

from support.responses_rules import violations
from support.upstream import RecordedRequest, Reply, ScriptedUpstream, chat_stream, pause, raw, reply, stream

__all__ = [
    "RecordedRequest",
    "Reply",
    "ScriptedUpstream",
    "chat_stream",
    "pause",
    "raw",
    "reply",
    "stream",
    "violations",
]
