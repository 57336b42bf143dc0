"""Runs the examples in `docs/events.md` and `docs/library.md` unchanged."""

import re
from pathlib import Path

import anyio
import pytest

from support import responses_events as sse
from support.scenario import write_scenario

DOCS = Path(__file__).parents[3] / "docs"
PAGE, LIBRARY = DOCS / "events.md", DOCS / "library.md"


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


def test_the_example_of_the_library_resumes_undoes_and_forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (work / "file").write_text("old\n")
    command = {"command": ["bash", "-c", "echo new >> file"], "with_escalated_permissions": True}
    responses = [
        [sse.function_call("shell", command, "c1"), sse.completed()],
        [sse.message("done"), sse.completed()],
    ]
    monkeypatch.setenv("CODE_HOME", str(home))
    monkeypatch.setenv("CODE_REPLAY", str(write_scenario(tmp_path, responses)))
    (code,) = re.findall(r"```python\n(.*?)```", LIBRARY.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(LIBRARY), "exec"), names)  # noqa: S102 - our own page
    assert anyio.run(names["work"], work, "go") == "task_complete"  # type: ignore[arg-type] # what the page defines
    assert capsys.readouterr().out.startswith("session_snapshot ")
    assert (work / "file").read_text() == "old\nnew\n"  # undone, then done once more by the fork
    assert len(list(home.glob("sessions/*/*/*/*.jsonl"))) == 2
