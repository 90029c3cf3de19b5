import pytest

from harmgauge import Exchange, ExchangeError


def test_turns_are_oldest_first_and_the_last_is_on_trial():
    exchange = Exchange(prompt="q", response="a", history=(("user", "x"), ("assistant", "y")))
    assert exchange.turns == (("user", "x"), ("assistant", "y"), ("user", "q"), ("assistant", "a"))
    assert exchange.on_trial == "a"
    assert Exchange(prompt="q").on_trial == "q"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["user"], Exchange(prompt="0")),
        (["system", "user"], Exchange(prompt="1", history=(("user", "0"),))),
        (["human", "GPT"], Exchange(prompt="0", response="1")),
        (["assistant"], Exchange(response="0")),
        (
            ["user", "assistant", "user", "model"],
            Exchange(prompt="2", response="3", history=(("user", "0"), ("assistant", "1"))),
        ),
        (
            ["user", "assistant", "assistant"],
            Exchange(response="2", history=(("user", "0"), ("assistant", "1"))),
        ),
    ],
)
def test_the_last_message_is_on_trial(roles, expected):
    messages = [{"role": role, "content": str(i)} for i, role in enumerate(roles)]
    assert Exchange.from_messages(messages) == expected
    assert Exchange.of(messages) == Exchange.of({"messages": messages}) == expected


@pytest.mark.parametrize(
    ("exchange", "kind"),
    [
        (Exchange("a cat"), "prompt"),
        (Exchange("a cat", history=(("assistant", "hello"),)), "prompt"),
        (Exchange(response="a dog"), "response"),
        (Exchange("a cat", "a dog"), "exchange"),
        (Exchange(response="a dog", history=(("assistant", "hello"),)), "exchange"),
    ],
)
def test_the_kind_is_what_is_on_trial_and_whether_alone(exchange, kind):
    assert exchange.kind == kind


def test_parts_of_a_message_are_joined():
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert Exchange.from_messages([{"role": "user", "content": parts}]).prompt == "one\ntwo"


@pytest.mark.parametrize("call", [{"tool_calls": [{"id": "1"}]}, {"function_call": {"name": "f"}}])
def test_earlier_messages_that_only_call_tools_are_left_out(call):
    user = {"role": "user", "content": "q"}
    tool = {"role": "tool", "content": "t"}
    silent = {"role": "assistant", "content": None, **call}
    answer = {"role": "assistant", "content": "a"}
    expected = Exchange("t", "a", history=(("user", "q"),))
    assert Exchange.from_messages([user, silent, tool, answer]) == expected
    with pytest.raises(ExchangeError, match="message 2 only calls tools"):
        Exchange.from_messages([user, silent])


def test_a_turn_of_an_unknown_role_is_refused():
    with pytest.raises(ExchangeError, match="turn 1 of the history has an unknown role"):
        Exchange("q", history=(("poet", "x"),))


def test_of_reads_whatever_can_be_judged():
    assert Exchange.of("q") == Exchange.of({"prompt": "q"}) == Exchange(prompt="q")
    assert Exchange.of({"prompt": "q", "response": "a"}) == Exchange("q", "a")
    exchange = Exchange(response="a")
    assert Exchange.of(exchange) is exchange


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "found NoneType"),
        (3, "found int"),
        (b"secret", "found bytes"),
        ({}, "neither"),
        ({"prompt": 3}, "prompt must be a string, found int"),
        ({"response": ["secret"]}, "response must be a string, found list"),
        ({"prompt": "secret\ud800"}, "prompt holds a lone surrogate at character 7"),
        ([], "messages is empty"),
        (["secret"], "message 1 must be an object"),
        ([{"role": "poet", "content": "secret"}], "message 1 has an unknown role"),
        ([{"role": "user"}], "message 1 has no text content"),
        ([{"role": "user", "content": [{"type": "image"}]}], "message 1 has a part"),
        ([{"role": "user", "content": "secret\udfff"}, {"role": "user", "content": ""}], "turn 1"),
    ],
)
def test_what_cannot_be_judged_is_named_but_never_quoted(value, message):
    with pytest.raises(ExchangeError, match=message) as caught:
        Exchange.of(value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "\0\x07", "\u200b\u200d\ufeff", "\u00a0\u2028\u3000", "\u3164\u2800\ufe0f"],
)
def test_text_that_shows_nothing_is_blank(text):
    assert Exchange(prompt=text).blank
    assert Exchange(prompt="q", response=text).blank
    assert not Exchange(prompt=text, response="a").blank


@pytest.mark.parametrize("text", ["a", " . ", "\u200b1", "\U0001f600", "\U0001faff", "é"])
def test_text_that_shows_something_is_not_blank(text):
    assert not Exchange(prompt=text).blank
