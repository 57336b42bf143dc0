"""Images that the model looks at, and the search that the provider runs."""

import json
import os
from functools import partial
from pathlib import Path

import anyio
import pytest

from code_core.config.load import ConfigOverrides, load_config
from code_core.protocol.items import FunctionCall
from code_core.session.parts import make_tools
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.tools.view_image import ViewImage
from code_core.wire.tool_specs import WebSearchSpec
from support.pictures import png


def look(context: ToolContext, path: str) -> ToolOutput:
    call = FunctionCall(name="view_image", arguments=json.dumps({"path": path}), call_id="c1")
    return anyio.run(partial(ViewImage().call, call, context))


def test_the_model_gets_the_image(tool_context: ToolContext) -> None:
    (tool_context.cwd / "a.png").write_bytes(png())
    output = look(tool_context, "a.png")
    assert output.success
    [url] = output.images
    assert url.startswith("data:image/png;base64,")


def test_a_changed_image_has_another_fingerprint(tool_context: ToolContext) -> None:
    (tool_context.cwd / "a.png").write_bytes(png())
    before = look(tool_context, "a.png")
    assert look(tool_context, "./a.png").fingerprint == before.fingerprint
    (tool_context.cwd / "a.png").write_bytes(png(2, 2))
    assert look(tool_context, "a.png").fingerprint != before.fingerprint


def test_an_invalid_image_is_answered(tool_context: ToolContext) -> None:
    (tool_context.cwd / "text.png").write_text("not an image")
    os.mkfifo(tool_context.cwd / "pipe")
    for path, problem in [
        ("text.png", "is not an image"),
        ("pipe", "is not a file"),
        ("missing", "cannot be read"),
        ("", "failed to parse"),
        ("a\0b", "cannot be read"),
    ]:
        output = look(tool_context, path)
        assert not output.success
        assert problem in output.text
        assert not output.images


@pytest.mark.parametrize(
    ("table", "image", "search"),
    [
        ("", True, None),
        ("view_image = false", False, None),
        ("web_search = true", True, WebSearchSpec()),
        (
            "web_search_request = true\nweb_search_allowed_domains = ['a.org']",
            True,
            WebSearchSpec(allowed_domains=("a.org",)),
        ),
    ],
)
def test_the_settings_determine_the_tools(
    tmp_path: Path, table: str, image: bool, search: WebSearchSpec | None
) -> None:
    (tmp_path / "config.toml").write_text(f"[tools]\n{table}\n")
    config = load_config(
        ConfigOverrides(cwd=tmp_path, replay_scenario=tmp_path / "unused"), {"CODE_HOME": str(tmp_path)}
    )
    assert config.warnings == ()
    specs = make_tools(config).specs()
    assert ("view_image" in [spec.name for spec in specs]) is image
    assert [spec for spec in specs if isinstance(spec, WebSearchSpec)] == ([search] if search else [])
