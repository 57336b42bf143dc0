"""Tool declarations, independent of the wire; each wire encodes them in its own form."""

from collections.abc import Mapping
from typing import Any

from code_core.frozen import frozen


@frozen
class FunctionSpec:
    """A tool that takes a JSON object.

    Attributes:
        parameters: the JSON Schema of the object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@frozen
class FreeformSpec:
    """A tool that takes plain text.

    Attributes:
        grammar: the Lark grammar of the text.
        manual: how to write the text, for models that do not see the grammar.
    """

    name: str
    description: str
    grammar: str
    manual: str

    def as_function(self) -> FunctionSpec:
        """Return the tool as a function, for wires and models without plain-text tools: the text is the argument `input`."""
        return FunctionSpec(
            self.name,
            self.manual,
            {
                "type": "object",
                "properties": {"input": {"type": "string"}},
                "required": ["input"],
            },
        )


@frozen
class WebSearchSpec:
    """A search that the provider runs itself.

    Attributes:
        allowed_domains: the only sites to search; all if empty.
    """

    name: str = "web_search"
    allowed_domains: tuple[str, ...] = ()


ToolSpec = FunctionSpec | FreeformSpec | WebSearchSpec
