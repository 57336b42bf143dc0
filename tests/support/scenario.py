"""Files with responses for the replay model."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Response = Sequence[Mapping[str, Any]] | Mapping[str, Any]
"""The events of a response, or an object that also has expectations about the request."""


def write_scenario(folder: Path, responses: Iterable[Response]) -> Path:
    """Write `scenario.jsonl` and return the file."""
    path = folder / "scenario.jsonl"
    lines = [
        {"replay": 1},
        *(dict(one) if isinstance(one, Mapping) else {"stream": [*one]} for one in responses),
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
