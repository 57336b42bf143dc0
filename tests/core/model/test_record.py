import json
import os
import resource
from pathlib import Path

import pytest

from code_core.errors import ConfigError, RequestRefused
from code_core.model.record import Recorder
from code_core.model.replay import load_scenario
from code_core.wire.sse import SseEvent

KEY = "sk-abcdefghijklmnopqrstuv"


def recorded(path: Path, *events: object, environ: dict[bytes, bytes] | None = None) -> str:
    recorder = Recorder(path, environ or {})
    with recorder.exchange():
        for event in events:
            recorder.event(SseEvent("message", json.dumps(event).encode()))
    recorder.close()
    return path.read_text()


@pytest.mark.parametrize("before", ["", "\n", "\t", '"', " ", "=", "é", "\\"])
def test_text_shaped_like_a_key_is_redacted_whatever_precedes_it(tmp_path: Path, before: str) -> None:
    text = recorded(tmp_path / "r", {"text": f"x{before}{KEY}" if before else KEY})
    assert KEY not in text
    assert "[REDACTED]" in text


@pytest.mark.parametrize("secret", ["plain-secret", 'quo"ted\\secret', "sécret☃…", "tab\tsecret"])
def test_secrets_of_the_environment_are_redacted_in_json_form_too(tmp_path: Path, secret: str) -> None:
    text = recorded(
        tmp_path / "r",
        {"text": f"<{secret}>"},
        environ={b"MY_PASSWORD": os.fsencode(secret), b"OTHER": b"text"},
    )
    [line] = [json.loads(line) for line in text.splitlines() if "stream" in line]
    assert line["stream"] == [{"text": "<[REDACTED]>"}]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("GITHUB_PAT", "pat-of-a-test", "pat-of-a-test"),
        ("DATABASE_URL", "postgres://u:pass%40word@db/x", "pass@word"),
        ("HTTPS_PROXY", "http://u:password@proxy", "password"),
    ],
)
def test_recordings_redact_the_variables_that_are_withheld_from_commands(
    tmp_path: Path, name: str, value: str, text: str
) -> None:
    assert "<[REDACTED]>" in recorded(
        tmp_path / "r", {"text": f"<{text}>"}, environ={name.encode(): value.encode()}
    )


def test_overlapping_secrets_are_redacted_completely(tmp_path: Path) -> None:
    environ = {b"A_TOKEN": b"secret-one", b"B_TOKEN": b"my-secret-one"}
    assert '"<[REDACTED]> <[REDACTED]>"' in recorded(
        tmp_path / "r", {"text": "<my-secret-one> <secret-one>"}, environ=environ
    )


def test_a_secret_that_is_not_unicode_is_redacted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", {b"MY_TOKEN": b"not\xffunicode"})
    with recorder.exchange():
        recorder.event(SseEvent("message", b'{"text":"<not\xffunicode>"}'))
    recorder.close()
    assert '"<[REDACTED]>"' in (tmp_path / "r").read_text()


def test_the_providers_key_is_redacted_whatever_its_variable_is_called(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", {}, key=b"short")
    with recorder.exchange():
        recorder.event(SseEvent("message", b'{"text":"<short>"}'))
    recorder.close()
    assert '"<[REDACTED]>"' in (tmp_path / "r").read_text()


def test_each_response_is_a_line_in_a_private_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", {})
    for number in (1, 2):
        with recorder.exchange():
            recorder.event(SseEvent("message", b'{"n":%d}' % number))
    recorder.close()
    _, *lines = (tmp_path / "r").read_text().splitlines()
    assert [json.loads(line)["stream"] for line in lines] == [[{"n": 1}], [{"n": 2}]]
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o600


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = sorted(Path("/dev/fd").iterdir())
    Recorder(tmp_path / "r", {}).close()
    with pytest.raises(ConfigError):
        Recorder(Path("/dev/full"), {})
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_deltas_that_together_spell_a_secret_are_left_out(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "%s"},
        {"content": ["%s"]},
        {"reasoning": "%s"},
        {"tool_calls": [{"index": 0, "function": {"arguments": "%s"}}]},
        {"tool_calls": {"function": {"arguments": "%s"}}},
        {"function_call": {"arguments": "%s"}},
    ],
)
@pytest.mark.parametrize("key", ["delta", "message"])
def test_chunks_that_spell_a_secret_together_are_left_out(
    tmp_path: Path, key: str, delta: dict[str, object]
) -> None:
    chunks = [
        {"choices": [{"index": index, key: json.loads(json.dumps(delta).replace("%s", text))}]}
        for text in (KEY[:9], KEY[9:])
        for index in (0, 1)
    ]
    chunks[1]["choices"][0][key] = chunks[3]["choices"][0][key] = {"content": "harmless"}
    lines = recorded(tmp_path / "r", *chunks).splitlines()
    assert json.loads(lines[1])["stream"] == [chunks[1], chunks[3]]


def test_a_secret_in_the_arguments_of_a_call_is_redacted(tmp_path: Path) -> None:
    secret = 'quo"ted\\sécret'
    for arguments in (json.dumps({"key": secret}), json.dumps({"key": secret}, ensure_ascii=False)):
        event = {"type": "response.output_item.done", "item": {"arguments": arguments}}
        text = recorded(tmp_path / "r", event, environ={b"MY_TOKEN": secret.encode()})
        assert json.loads(json.loads(text.splitlines()[-1])["stream"][0]["item"]["arguments"]) == {
            "key": "[REDACTED]"
        }


def test_a_key_spelled_with_escapes_is_redacted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", {})
    with recorder.exchange():
        recorder.event(SseEvent("message", b'{"text":"\\u0073k-abcdefghijklmnopqrstuv"}'))
    recorder.close()
    assert json.loads((tmp_path / "r").read_text().splitlines()[1])["stream"] == [{"text": "[REDACTED]"}]


def test_deltas_of_items_that_stream_concurrently_are_kept_apart(tmp_path: Path) -> None:
    events = [
        {"type": "response.output_text.delta", "output_index": index, "delta": text}
        for text in ("it is ", KEY[:9], KEY[9:])
        for index in (0, 1)
    ]
    events[0]["delta"] = events[2]["delta"] = events[4]["delta"] = "harmless"
    lines = recorded(tmp_path / "r", *events).splitlines()
    assert json.loads(lines[1])["stream"] == [event for event in events if event["output_index"] == 0]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b'{"type":"x"', []),
        (b"[DONE]", []),
        (b"[" * 2000, []),
        (b'{"a":' * 300 + b"1" + b"}" * 300, []),
        (b'{"type":"x",\n"a":1}', [{"type": "x", "a": 1}]),
        (b'{"a":"\\ud83d"}', [{"a": "\N{REPLACEMENT CHARACTER}"}]),
        (b'{"a":"\xff"}', [{"a": "\N{REPLACEMENT CHARACTER}"}]),
    ],
)
def test_every_recording_can_be_replayed(tmp_path: Path, data: bytes, events: list[object]) -> None:
    recorder = Recorder(tmp_path / "r", {})
    with recorder.exchange():
        recorder.event(SseEvent("message", data))
    recorder.close()
    [exchange] = load_scenario(tmp_path / "r")
    assert exchange.stream == events


def test_an_unwritable_file_is_reported_immediately(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        Recorder(tmp_path, {})
    with pytest.raises(ConfigError, match="null"):
        Recorder(Path("a\0b"), {})
    with pytest.raises(ConfigError, match="CODE_RECORD: /dev/full cannot be written: No space left"):
        Recorder(Path("/dev/full"), {})


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(RequestRefused, match=r"CODE_RECORD: .* cannot be written"), recorder.exchange():
            recorder.event(SseEvent("message", b'{"type":"x"}'))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        recorder.close()
