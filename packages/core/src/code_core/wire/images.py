"""Checks whether data is an image that model APIs accept, from its first and last bytes without decoding it.

An image that the API rejects breaks every later request too, because it stays in the history.

Sources: PNG (W3C, 3rd edition), JPEG (ITU-T T.81), GIF89a, WebP (RFC 9649).
"""

import base64
import re
import struct
from collections.abc import Iterator

from code_core.frozen import frozen

LARGEST_IMAGE = 20 * 2**20
LONGEST_SIDE = 16_384
FORMATS = "PNG, JPEG, GIF or WebP"
_WEB = re.compile(r"https?://", re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_LAST_PNG_CHUNK = b"IEND\xaeB`\x82"
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


class NotAnImage(Exception):  # noqa: N818 - named for the condition
    """An image that cannot be sent; the message completes "the file …"."""


@frozen
class Image:
    """The media type and the size in pixels of an image."""

    media_type: str
    width: int
    height: int


def image_of(data: bytes) -> Image:
    """Identify the image in `data`.

    Raises:
        NotAnImage: it has another type, is cut off or animated, or is too large.
    """
    if len(data) > LARGEST_IMAGE:
        raise NotAnImage(f"is larger than {LARGEST_IMAGE // 2**20} MiB")
    if data.startswith(_PNG):
        image = _png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        image = _jpeg(data)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        image = _gif(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        image = _webp(data)
    else:
        raise NotAnImage(f"is not an image of type {FORMATS}" if data else "is empty")
    if not (image.width and image.height):
        raise NotAnImage("is an image without pixels")
    if max(image.width, image.height) > LONGEST_SIDE:
        raise NotAnImage(
            f"has {image.width:,} by {image.height:,} pixels: the limit for each side is {LONGEST_SIDE:,}"
        )
    return image


def data_url(data: bytes) -> str:
    """Return `data` as a data URL for a request.

    Raises:
        NotAnImage: see `image_of`.
    """
    return f"data:{image_of(data).media_type};base64,{base64.b64encode(data).decode('ascii')}"


def checked_url(url: str) -> str:
    """Return `url`, corrected to the actual media type if it is a data URL.

    Raises:
        NotAnImage: it is neither an `http(s):` URL nor a `data:` URL with an image.
    """
    if _WEB.match(url):
        return url
    head, comma, body = url.partition(",")
    if not head.lower().startswith("data:") or not comma or not head.lower().endswith(";base64"):
        raise NotAnImage("is not at an https: URL, nor in a data: URL with base64")
    if len(body) > LARGEST_IMAGE * 4 // 3 + 4:
        raise NotAnImage(f"is larger than {LARGEST_IMAGE // 2**20} MiB")
    try:
        data = base64.b64decode(body, validate=True)
    except ValueError:
        raise NotAnImage("is not valid base64") from None
    return f"data:{image_of(data).media_type};base64,{body}"


def _png(data: bytes) -> Image:
    if data[12:16] != b"IHDR" or _LAST_PNG_CHUNK not in data[-4096:]:
        raise NotAnImage("is a PNG image that is cut off")
    width, height = struct.unpack(">II", data[16:24])
    return Image("image/png", width, height)


def _jpeg(data: bytes) -> Image:
    if b"\xff\xd9" not in data[-65_536:]:
        raise NotAnImage("is a JPEG image that is cut off")
    for marker, start, end in _jpeg_segments(data):
        if marker in _JPEG_FRAMES and end - start >= 5:
            height, width = struct.unpack(">HH", data[start + 1 : start + 5])
            return Image("image/jpeg", width, height)
    raise NotAnImage("is a JPEG image without a frame")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker, start and end of each segment before the pixels."""
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = int.from_bytes(data[at + 1 : at + 2], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker in _JPEG_BARE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, min(end, len(data))
        if marker == 0xDA:
            return
        at = end


def _gif(data: bytes) -> Image:
    width, height, flags = struct.unpack("<HHB", data[6:11].ljust(5, b"\x00"))
    at = 13 + _gif_colors(flags)
    frames = 0
    while (introducer := data[at : at + 1]) in {b",", b"!"}:
        if introducer == b",":
            frames += 1
            at = _after_gif_blocks(data, at + 11 + _gif_colors(ord(data[at + 9 : at + 10] or b"\x00")))
        else:
            at = _after_gif_blocks(data, at + 2)
    if introducer != b";" or not frames:
        raise NotAnImage("is a GIF image that is cut off")
    if frames > 1:
        raise NotAnImage(f"is an animation of {frames} images: send one of them")
    return Image("image/gif", width, height)


def _gif_colors(flags: int) -> int:
    """Size of the color table according to `flags`, in bytes."""
    return 3 * 2 ** ((flags & 0x07) + 1) if flags & 0x80 else 0


def _after_gif_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _webp(data: bytes) -> Image:
    if len(data) < 30 or int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise NotAnImage("is a WebP image that is cut off")
    match data[12:16]:
        case b"VP8X":
            if data[20] & 0x02:
                raise NotAnImage("is an animated WebP image: send one of its images")
            return Image("image/webp", _int24(data, 24) + 1, _int24(data, 27) + 1)
        case b"VP8L":
            (bits,) = struct.unpack("<I", data[21:25])
            return Image("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return Image("image/webp", width & 0x3FFF, height & 0x3FFF)
        case _:
            raise NotAnImage("is a WebP image of an unknown kind")


def _int24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
