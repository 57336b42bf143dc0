"""`search_tools`: finds tools of MCP servers when there are too many to declare from the start."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from code_core.lazy_pattern import lazy_pattern
from code_core.protocol.items import FunctionCall, ToolCall
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.tool import Tool, ToolContext, ToolOutput
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, ToolSpec

NAME = "search_tools"
FOUND_AT_ONCE = 8
MOST_AT_ONCE = 20
LONGEST_LINE = 300
"""Characters of a tool's description in a search result."""
MOST_SERVERS = 20
CHARACTERS_PER_TOKEN = 4
UNKNOWN_WINDOW = 128_000

_WORD = lazy_pattern(r"[a-z0-9]+")


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    query: str
    limit: int = Field(FOUND_AT_ONCE, ge=1, le=MOST_AT_ONCE)


class ToolSearch:
    """Finds tools by keywords; tools that were found are declared in later requests.

    Args:
        tools: the searchable tools, by name.
        found: the names of tools found so far, in order; grows with each search.
    """

    name = NAME
    parallel_safe = True

    def __init__(self, tools: Mapping[str, Tool], found: dict[str, None]) -> None:
        self._tools = tools
        self._found = found

    @cached_property
    def _words(self) -> dict[str, Counter[str]]:
        """The search index, built on first use because most turns do not search."""
        return {name: _words_of(tool.spec()) for name, tool in self._tools.items()}

    @property
    def declared(self) -> list[Tool]:
        """The tools found so far, in order."""
        return [self._tools[name] for name in self._found if name in self._tools]

    def find(self, name: str) -> Tool | None:
        """Return the tool with that name, even if not found by a search, because a model may remember it."""
        return self._tools.get(name)

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        return FunctionSpec(
            self.name,
            "Find more tools by what they do. You can call the tools that it finds from your next response on. "
            f"Servers: {_servers(self._tools)}.",
            {
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "description": "Words for what the tool does, or the tool's name.",
                    },
                    "limit": {
                        "type": "integer",
                        "description": f"The maximum number of tools; {FOUND_AT_ONCE} by default.",
                    },
                },
                "required": ["query"],
                "additionalProperties": False,
            },
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        del context
        if not isinstance(call, FunctionCall):
            return ToolOutput(f"{NAME} takes JSON arguments", success=False)
        try:
            arguments = parse_arguments(_Arguments, call.arguments)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        names = self._matching(arguments.query)[: arguments.limit]
        if not names:
            return ToolOutput(
                f"no tool matches; {len(self._tools)} tools are available, from {_servers(self._tools)}"
            )
        self._found |= dict.fromkeys(names)
        lines = [f"{name}: {_line(self._tools[name].spec())}" for name in names]
        return ToolOutput("\n".join(["You can call these now:", *lines]))

    def _matching(self, query: str) -> list[str]:
        if query.strip() in self._tools:
            return [query.strip()]
        wanted = set(_WORD.findall(query.lower()))
        scores = {name: sum(_score(word, words) for word in wanted) for name, words in self._words.items()}
        return sorted(
            (name for name, score in scores.items() if score), key=lambda name: (-scores[name], name)
        )


def deferred(tools: Sequence[Tool], share: float, window: int | None) -> bool:
    """Whether the declarations of `tools` use more than `share` of a window of `window` tokens."""
    room = share * (window or UNKNOWN_WINDOW) * CHARACTERS_PER_TOKEN
    size = 0
    for tool in tools:
        size += _size(tool.spec())
        if size > room:
            return True
    return False


def _size(spec: ToolSpec) -> int:
    match spec:
        case FunctionSpec(name=name, description=description, parameters=parameters):
            return len(name) + len(description) + len(json.dumps(parameters))
        case FreeformSpec(name=name, description=description, grammar=grammar):
            return len(name) + len(description) + len(grammar)
        case _:
            return len(spec.name)


def _words_of(spec: ToolSpec) -> Counter[str]:
    """The weight of each word of a tool; words in its name weigh more than those in its description."""
    description = spec.description if isinstance(spec, FunctionSpec | FreeformSpec) else ""
    words = Counter(dict.fromkeys(_WORD.findall(description.lower()), 1))
    words.update(dict.fromkeys(_WORD.findall(spec.name.lower()), 3))
    return words


def _score(word: str, words: Counter[str]) -> int:
    if exact := words[word]:
        return 2 * exact
    return max((weight for other, weight in words.items() if other.startswith(word)), default=0)


def _servers(names: Iterable[str]) -> str:
    """The servers of tools named `SERVER__TOOL` with their tool counts; other tools belong to resources."""
    counts = Counter(name.partition("__")[0] if "__" in name else "resources" for name in names)
    shown = [f"{server} ({count})" for server, count in sorted(counts.items())[:MOST_SERVERS]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _line(spec: ToolSpec) -> str:
    description = spec.description if isinstance(spec, FunctionSpec | FreeformSpec) else ""
    return " ".join(description.split())[:LONGEST_LINE]
