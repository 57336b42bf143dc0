import json
import os
from pathlib import Path

import pytest

from code_core.errors import ConfigError, RequestRefused
from code_core.model.record import Recorder

KEY = "sk-abcdefghijklmnopqrstuv"


def recorded(path: Path, *events: object, environ: dict[bytes, bytes] | None = None) -> str:
    recorder = Recorder(path, environ or {})
    with recorder.exchange():
        for event in events:
            recorder.event(json.dumps(event).encode())
    recorder.close()
    return path.read_text()


@pytest.mark.parametrize("before", ["", "\n", "\t", '"', " ", "=", "é", "\\"])
def test_what_is_shaped_like_a_key_is_replaced_whatever_stands_before_it(tmp_path: Path, before: str) -> None:
    text = recorded(tmp_path / "r", {"text": f"x{before}{KEY}" if before else KEY})
    assert KEY not in text
    assert "[REDACTED]" in text


@pytest.mark.parametrize("secret", ["plain-secret", 'quo"ted\\secret', "sécret☃…", "tab\tsecret"])
def test_the_environments_secrets_are_replaced_in_their_json_form_too(tmp_path: Path, secret: str) -> None:
    text = recorded(
        tmp_path / "r",
        {"text": f"<{secret}>"},
        environ={b"MY_PASSWORD": os.fsencode(secret), b"OTHER": b"text"},
    )
    [line] = [json.loads(line) for line in text.splitlines() if "stream" in line]
    assert line == {"stream": [{"text": "<[REDACTED]>"}]}


def test_deltas_that_spell_a_secret_together_are_left_out(tmp_path: Path) -> None:
    def delta(kind: str, text: str) -> dict[str, str]:
        return {"type": f"response.{kind}.delta", "delta": text}

    events = [
        delta("output_text", KEY[:6]),
        delta("reasoning", "harmless"),
        delta("output_text", KEY[6:]),
        {"type": "response.output_item.done", "item": {"text": f"it is {KEY}"}},
    ]
    lines = recorded(tmp_path / "r", *events).splitlines()
    assert json.loads(lines[1])["stream"] == [
        delta("reasoning", "harmless"),
        {"type": "response.output_item.done", "item": {"text": "it is [REDACTED]"}},
    ]


def test_a_file_that_cannot_be_written_is_said_at_once_or_when_it_is_full(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        Recorder(tmp_path, {})
    with pytest.raises(ConfigError, match="null"):
        Recorder(Path("a\0b"), {})
    with pytest.raises(RequestRefused, match="CODE_RECORD: /dev/full cannot be written: No space left"):
        Recorder(Path("/dev/full"), {})
