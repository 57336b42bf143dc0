import pytest

from code_core.protocol.policies import ReviewDecision
from code_core.view.answers import Choices, Explain, Page, parse_yes_or_no

APPROVING = ["y", "yes", "Y", " YES ", "a", "session", "p", "always"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("y", ReviewDecision.APPROVED),
        ("Yes\r", ReviewDecision.APPROVED),
        ("a", ReviewDecision.APPROVED_FOR_SESSION),
        ("always", ReviewDecision.APPROVED_PREFIX),
        ("no", ReviewDecision.DENIED),
        ("q", ReviewDecision.ABORT),
        ("e", Explain.NO),
    ],
)
def test_only_complete_short_answers_count(text: str, answer: object) -> None:
    assert Choices(rule=True).parse(text) is answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yy",
        "yes please",
        "please do",
        "abort",
        "allow",
        "ye",
        "yep",
        "y\x1b[A",
        "\uff59",
        "y\u200b",
        "\u0443",
        "1",
        "v",
    ],
)
def test_any_other_answer_causes_the_question_again(text: str) -> None:
    assert Choices(rule=True).parse(text) is None


def test_always_is_offered_only_with_a_rule() -> None:
    assert Choices().parse("p") is None
    assert "always" not in Choices().prompt()
    assert "p always" in Choices(rule=True).prompt()


@pytest.mark.parametrize("text", APPROVING)
def test_nothing_is_approved_before_it_was_shown(text: str) -> None:
    choices = Choices(rule=True, unseen=1)
    assert choices.parse(text) is None
    assert choices.parse("v") is Page.NEXT
    assert choices.parse("all") is Page.ALL
    assert choices.parse("n") is ReviewDecision.DENIED
    assert choices.prompt().startswith("1 more line (")


def test_answers_to_yes_or_no_questions() -> None:
    answers = [parse_yes_or_no(text) for text in ("y", "YES ", "n", "No", "", "yes!", "nope", "true")]
    assert answers == [True, True, False, False, None, None, None, None]
