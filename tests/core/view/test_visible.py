import re
import shlex
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from code_core.view.visible import readable, visible, visible_line

ODD = "\x1b\r\n\t\x00\x7f\x9b\u202e\u2066\u200b\u200d\xa0\u3000\u3164\ufe0f\U000e0041\xad\udc80\ue000\u0301\\xu1b02"
TEXT = st.text() | st.text(st.sampled_from(ODD)) | st.text(st.characters(categories=["Cf", "Mn", "Zs", "Lo"]))
_ESCAPE = re.compile(r"(\\*)\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def decoded(shown: str) -> str:
    """The only text that `visible` shows as `shown`."""

    def original(found: re.Match[str]) -> str:
        before, number = found.groups()
        halves = "\\" * (len(before) // 2)
        return halves + (f"\\{number}" if len(before) % 2 else chr(int(number[1:], 16)))

    # Before characters outside ASCII, backslashes are doubled, too.
    halved = re.sub(r"(\\+)(?=[^ -~])", lambda found: found[0][: len(found[0]) // 2], shown)
    return _ESCAPE.sub(original, halved)


@given(TEXT)
@example("\\x1b")
@example("\\\x1b")
@example("\\\\x1b")
@example("\\\\\x1b")
@example("\\é")
@example("a\\" + " " * 30)
def test_different_texts_look_different(text: str) -> None:
    assert decoded(visible(text)) == text


@given(st.lists(TEXT, min_size=1))
@example(["\u062a\u0300"])
def test_a_command_is_printable_and_complete(argv: list[str]) -> None:
    shown = visible(shlex.join(argv))
    assert shown.isprintable()
    assert not any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in shown)
    assert shown.isascii() or unicodedata.normalize("NFC", shown) == shown
    assert shlex.split(decoded(shown)) == argv


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git status #\x1b]0;\nrm -rf ~", r"git status #\x1b]0;\x0arm -rf ~"),
        ("\x1b[8mhidden\x1b[0m", r"\x1b[8mhidden\x1b[0m"),
        ("a\rb\x08\x7f\x9b", r"a\x0db\x08\x7f\x9b"),
        ("ls \u202egpj.sh", r"ls \u202egpj.sh"),
        ("a\u200bb\u2060c\xadd\ufeff", r"a\u200bb\u2060c\xadd\ufeff"),
        ("a\xa0b\u3000c\u3164d\u115f", r"a\xa0b\u3000c\u3164d\u115f"),
        ("x\ufe0f\U000e0101\U000e0041", r"x\ufe0f\U000e0101\U000e0041"),
        ("\udc80\ue000\U000e0fff", r"\udc80\ue000\U000e0fff"),
        ("cat א > ב", r"cat \u05d0 > \u05d1"),
        ("rm −rf ∕", r"rm \u2212rf \u2215"),  # noqa: RUF001
        ("ｒｍ \u037e", r"\uff52\uff4d \u037e"),  # noqa: RUF001
        ("ls" + " " * 21 + "; id", "ls" + r"\x20" * 21 + "; id"),
        (" " * 40 + "x" + " " * 20 + "y", " " * 40 + "x" + " " * 20 + "y"),
        ("gіt", r"g\u0456t"),  # noqa: RUF001
        ("e\u0301 é", r"e\u0301 é"),
        ("\u062a\u0300 \u200b\u0301", r"\u062a\u0300 \u200b\u0301"),
        ("a\u0338 =\u0338", r"a\u0338 =\u0338"),
        ("👩\u200d💻", r"👩\u200d💻"),
        # Harmless text that looks odd is unchanged.
        ("naïve Größe 日本語 привет 👍 …", "naïve Größe 日本語 привет 👍 …"),
        (r"printf '\n\t\033[0m' C:\x", r"printf '\n\t\033[0m' C:\x"),
        (r"printf '\x1b'", r"printf '\\x1b'"),
    ],
)
def test_invisible_characters_are_shown_by_number(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", "a\tb"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202eb\u2028\x0b", r"a\u202eb\u2028\x0b"),
        (
            "שלום é 👍🏽 👩\u200d💻 1\ufe0f\u20e3 ❤\ufe0f م\u200cخ",
            "שלום é 👍🏽 👩\u200d💻 1\ufe0f\u20e3 ❤\ufe0f م\u200cخ",
        ),
        ("a\u200db\u200cc\ufe0f", r"a\u200db\u200cc\ufe0f"),
        ("Z" + "\u0301" * 6, "Z" + "\u0301" * 3 + r"\u0301" * 3),
        (r"\x1b", r"\x1b"),
    ],
)
def test_lines_of_a_file_keep_visible_characters(text: str, shown: str) -> None:
    assert visible_line(text) == shown
    assert readable(text) == shown.replace(r"\x1b[31m", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", r"\x1b]0;title\x07x"),
        ("\x1b]52;c;aGk=\x1b\\x", r"\x1b]52;c;aGk=\x1b\x"),
        ("\x1bP" + "a\n" * 3000, r"\x1bP" + "a\n" * 3000),
        ("10%\r20%\r\ndone\r\n", "10%\n20%\ndone\n"),
        ("\x1b[2J\x9b2J", r"\x1b[2J\x9b2J"),
        ("un\xa0deux", "un\xa0deux"),
    ],
)
def test_prose_and_output_lose_only_colours(text: str, shown: str) -> None:
    assert readable(text) == shown


@given(TEXT)
def test_prose_does_not_control_the_terminal(text: str) -> None:
    for character in readable(text):
        assert character in "\t\n" or unicodedata.category(character) not in {
            "Cc",
            "Cs",
            "Co",
            "Cn",
            "Zl",
            "Zp",
        }
        assert unicodedata.bidirectional(character) not in {
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "PDF",
            "RLI",
            "LRI",
            "FSI",
        }
