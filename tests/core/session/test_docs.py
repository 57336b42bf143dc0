"""The example of `docs/events.md`, run as it stands there."""

import re
from pathlib import Path

import anyio
import pytest

from support import responses_events as sse
from support.scenario import write_scenario

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


@pytest.mark.parametrize(("answers", "answer"), [(True, "hello"), (False, None)])
def test_the_example_gets_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool, answer: str | None
) -> None:
    response = [sse.message("hello"), sse.completed()] if answers else [sse.failed("invalid_prompt", "no")]
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    monkeypatch.setenv("CODE_REPLAY", str(write_scenario(tmp_path, [response])))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    assert anyio.run(names["ask"], "hi") == answer  # type: ignore[arg-type] # what the page defines
