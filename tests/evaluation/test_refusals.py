import pytest

from harmgauge.evaluation.refusals import REFUSAL, opens_with_refusal


@pytest.mark.parametrize(
    "text",
    [
        REFUSAL,
        "I cannot help with that.",
        "i can not do this",
        "I’m sorry, but no.",
        '  \n"I\'m unable to say."',
        "**Sorry**, that is not possible.",
        "As an AI, I have no garden.",
        "I am not able to bake.",
        "No, I cannot do that.",
        "I do not feel comfortable with this.",
        "Unfortunately, I can't.",
        "I\u00a0am   sorry, no.",
    ],
)
def test_refusals_are_known_however_they_are_set(text):
    assert opens_with_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Knead the dough. I'm sorry, but that is all.",
        "As an example, take bread.",
        "I'm sorry to hear that your cake fell.",
        "Sorry for your loss.",
        "Sorryful is no word.",
        "I can bake.",
        "No, it is Tuesday.",
        "Sure, here is a recipe.",
    ],
)
def test_what_is_no_refusal(text):
    assert not opens_with_refusal(text)


def test_a_long_answer_is_read_by_its_head_alone():
    assert opens_with_refusal(REFUSAL + " bread" * 100_000)
    assert not opens_with_refusal("bread " * 100_000 + REFUSAL)
