"""The dump of an exchange, tested without sockets."""

from pathlib import Path
from typing import Any

import pytest

from code_responses_api_proxy.dump import DumpFolder, Recording


class Deep(Recording):
    """A request too deeply nested for any interpreter to write; how deep it can read depends on its version."""

    def request(self) -> dict[str, Any]:
        body: list[Any] = []
        for _ in range(50_000):
            body = [body]
        return {"body": body}


def test_a_body_nested_too_deeply_causes_one_line_and_leaves_no_partial_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = DumpFolder(str(tmp_path))
    Deep(folder, "000001-0", "http://127.0.0.1/", b"").save()
    folder.close()
    assert "000001-0-request.json is not written: its JSON is too deep" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["000001-0-response.json"]
