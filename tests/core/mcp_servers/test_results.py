import base64

import mcp_types
import pytest

from code_core.mcp_servers.results import parts_of
from support import pictures

PNG, WEBP, GIF, JPEG = (
    base64.b64encode(data).decode()
    for data in (pictures.png(), pictures.webp(), pictures.gif(), pictures.jpeg())
)


def result(*blocks: mcp_types.ContentBlock) -> mcp_types.CallToolResult:
    return mcp_types.CallToolResult(content=list(blocks))


def image(data: str, kind: str = "image/png") -> mcp_types.ImageContent:
    return mcp_types.ImageContent(type="image", data=data, mime_type=kind)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(PNG, "image/png"), (WEBP, "image/webp"), (GIF, "image/gif"), (JPEG, "image/jpeg")],
)
def test_the_type_of_an_image_comes_from_its_data(data: str, kind: str) -> None:
    assert parts_of(result(image(data, "image/x-what, not\r\nthis"))).images == (
        f"data:{kind};base64,{data}",
    )


@pytest.mark.parametrize("data", [f"data:image/png;base64,{PNG}", f"{PNG[:20]}\n{PNG[20:]}\r\n", f" {PNG}"])
def test_base64_with_line_breaks_or_in_a_data_url_is_an_image(data: str) -> None:
    assert parts_of(result(image(data))).images == (f"data:image/png;base64,{PNG}",)


@pytest.mark.parametrize(
    "block",
    [
        image(base64.b64encode(b"<svg/>").decode(), "image/svg+xml"),
        image("iVBOR w0KGgo="),
        image(base64.b64encode(pictures.png()[:-1]).decode()),
        image("not base64 at all, \xe9"),
        image(""),
    ],
)
def test_an_image_that_a_model_api_would_refuse_becomes_a_line_of_text(block: mcp_types.ImageContent) -> None:
    parts = parts_of(result(block))
    assert parts.images == ()
    assert "an image that cannot be shown" in parts.text


def test_images_over_the_limit_are_reported() -> None:
    parts = parts_of(result(*[image(PNG)] * 12))
    assert len(parts.images) == 10
    assert parts.text.count("an image that cannot be shown") == 2
