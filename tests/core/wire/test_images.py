import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.wire import images
from code_core.wire.images import LARGEST_IMAGE, Image, NotAnImage, checked_url, data_url, image_of
from support import pictures

WHOLE = {
    "image/png": pictures.png(3, 2),
    "image/jpeg": pictures.jpeg(3, 2),
    "image/gif": pictures.gif(width=3, height=2),
    "image/webp": pictures.webp(width=3, height=2),
}


@pytest.mark.parametrize(("kind", "data"), WHOLE.items())
def test_an_image_is_recognised_by_its_bytes(kind: str, data: bytes) -> None:
    assert image_of(data) == Image(kind, 3, 2)
    assert data_url(data) == f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_the_size_of_each_kind_of_webp_is_found(kind: bytes) -> None:
    assert image_of(pictures.webp(kind, width=300, height=200)) == Image("image/webp", 300, 200)


@pytest.mark.parametrize(
    "before",
    [
        b"\xff",
        b"\xff\xff",
        b"\xff\x01",
        b"\xff\xd0\xff\xd7\xff",
        b"\xff\xe1\x01\x30" + bytes(0x12E),
        b"\xff\xc4\x00\x09" + bytes(7),
        b"\xff\xc0\x00\x06" + bytes(4),
    ],
)
def test_what_may_precede_the_frame_of_a_jpeg_is_passed_over(before: bytes) -> None:
    assert image_of(pictures.jpeg(3, 2).replace(b"\xff\xc0", before + b"\xff\xc0")) == Image(
        "image/jpeg", 3, 2
    )


def test_the_frame_of_a_jpeg_has_at_least_its_size() -> None:
    start, end = b"\xff\xd8\xff\xc0\x00", b"\xff\xd9"
    assert image_of(start + b"\x07\x08\x00\x02\x00\x03" + end) == Image("image/jpeg", 3, 2)
    with pytest.raises(NotAnImage, match="without a frame"):
        image_of(start + b"\x06\x08\x00\x02\x00" + end)


def gif(screen: int, palette: bytes, frame: int, colors: bytes, version: bytes = b"9") -> bytes:
    """A GIF image of 3 by 2 pixels, with flags that may announce a color table."""
    return (
        b"GIF8%ba\x03\x00\x02\x00%c\x00\x00" % (version, screen)
        + palette
        + b",\x00\x00\x00\x00\x03\x00\x02\x00%c" % frame
        + colors
        + b"\x02\x02\x44\x01\x00;"
    )


@pytest.mark.parametrize(
    "data",
    [
        gif(0x77, b"", 0x47, b""),
        gif(0x80, b"\xff" * 6, 0x81, b"\xff" * 12),
        gif(0xF7, b"\xff" * 768, 0xC2, b"\xff" * 24),
        gif(0, b"", 0, b"", version=b"7"),
    ],
)
def test_a_gif_may_have_color_tables(data: bytes) -> None:
    assert image_of(data) == Image("image/gif", 3, 2)


def test_the_flags_of_a_webp_do_not_make_it_an_animation() -> None:
    still = bytearray(pictures.webp(b"VP8X", width=3, height=2))
    still[20] = 0xFD
    assert image_of(bytes(still)) == Image("image/webp", 3, 2)


@pytest.mark.parametrize(
    ("data", "most"),
    [(pictures.png(3, 2), 4088), (pictures.jpeg(3, 2), 65_534), (pictures.webp(b"VP8 "), 65_534)],
)
def test_bytes_after_an_image_are_allowed(data: bytes, most: int) -> None:
    assert image_of(data + bytes(most)) == image_of(data)


@pytest.mark.parametrize(("data", "most"), [(pictures.png(), 4088), (pictures.jpeg(), 65_534)])
def test_an_image_whose_end_is_not_at_its_end_is_cut_off(data: bytes, most: int) -> None:
    with pytest.raises(NotAnImage, match="cut off"):
        image_of(data + bytes(most + 1))


def test_the_largest_image_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures.png()
    monkeypatch.setattr(images, "LARGEST_IMAGE", len(data))
    assert checked_url(data_url(data)) == data_url(data)
    with pytest.raises(NotAnImage, match="larger than"):
        image_of(data + b"x")


def test_a_url_that_is_too_long_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGEST_IMAGE", 6)
    with pytest.raises(NotAnImage, match="not valid base64"):
        checked_url("data:image/png;base64," + "!" * 12)
    with pytest.raises(NotAnImage, match="larger than"):
        checked_url("data:image/png;base64," + "!" * 13)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"just text", "is not an image of type PNG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is not an image of type PNG"),
        (b"BM" + bytes(60), "is not an image of type PNG"),
        (pictures.webp().replace(b"WEBP", b"WAVE"), "is not an image of type PNG"),
        (pictures.webp().replace(b"RIFF", b"RIFX"), "is not an image of type PNG"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (pictures.png()[:-1], "cut off"),
        (pictures.png()[:-12], "cut off"),
        (pictures.png().replace(b"IHDR", b"IDAT"), "cut off"),
        (pictures.jpeg()[:-1], "cut off"),
        (b"\xff\xd8\xff\xd9", "without a frame"),
        (b"\xff\xd8\xff\xda\x00\x02" + pictures.jpeg()[2:], "without a frame"),
        (b"GIF89a", "cut off"),
        (b"\xff\xd8\xff\xe1\x00\x00" + pictures.jpeg()[2:], "without a frame"),
        (b"\xff\xd8\xff\xd9\xff", "without a frame"),
        (pictures.gif()[:-1], "cut off"),
        (pictures.gif()[:12], "cut off"),
        (pictures.gif()[:25], "cut off"),
        (pictures.gif(0), "cut off"),
        (pictures.gif(2), "animation of 2 images"),
        (pictures.webp()[:-1], "cut off"),
        (pictures.webp()[:20], "cut off"),
        (pictures.webp().replace(b"\x16\x00\x00\x00WEBP", b"\x17\x00\x00\x00WEBP"), "cut off"),
        (pictures.webp(b"VP8X", animated=True), "animated"),
        (pictures.webp(b"ALPH"), "unknown kind"),
        (pictures.png(0, 1), "without pixels"),
        (pictures.jpeg(1, 0), "without pixels"),
        (pictures.png(16_385, 1), "16,385 by 1 pixels"),
        (pictures.gif(height=16_385), "1 by 16,385 pixels"),
        (pictures.png() + bytes(LARGEST_IMAGE), "larger than 20 MiB"),
    ],
)
def test_images_that_model_apis_would_reject_are_rejected(data: bytes, problem: str) -> None:
    with pytest.raises(NotAnImage, match=problem):
        image_of(data)


@pytest.mark.parametrize("data", [*WHOLE.values(), gif(0xF7, bytes(768), 0xC2, bytes(24))])
def test_no_beginning_of_an_image_is_one(data: bytes) -> None:
    for size in range(len(data)):
        with pytest.raises(NotAnImage):
            image_of(data[:size])


def test_the_longest_side_is_allowed() -> None:
    assert image_of(pictures.png(16_384, 16_384)).width == 16_384


@given(st.sampled_from([*WHOLE.values()]), st.integers(0, 80), st.integers(0, 79), st.integers(0, 255))
def test_any_bytes_can_be_checked(data: bytes, length: int, at: int, byte: int) -> None:
    damaged = bytearray(data[:length])
    damaged[at : at + 1] = bytes([byte])
    with suppress(NotAnImage):
        image_of(bytes(damaged))


def test_a_url_gets_the_type_of_its_data() -> None:
    body = base64.b64encode(pictures.png()).decode()
    for head in ("data:image/svg+xml;base64", "data:;base64", "DATA:image/png;charset=x;BASE64"):
        assert checked_url(f"{head},{body}") == f"data:image/png;base64,{body}"
    for url in ("https://example.com/a.svg", "HTTP://example.com/x"):
        assert checked_url(url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///etc/passwd", "https: URL"),
        ("data:image/svg+xml,<svg/>", "https: URL"),
        ("data:image/png;base64", "https: URL"),
        ("data:image/png;base64,!!", "not valid base64"),
        ("data:image/png;base64,é", "not valid base64"),
        ("xhttps://example.com/x", "https: URL"),
        ("data:image/png;base64,aGk=", "not an image"),
        ("data:image/png;base64," + "A" * (LARGEST_IMAGE * 4 // 3 + 8), "larger than"),
    ],
)
def test_a_url_without_an_image_is_rejected(url: str, problem: str) -> None:
    with pytest.raises(NotAnImage, match=problem):
        checked_url(url)
