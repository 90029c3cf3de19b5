import json
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmgauge import Exchange
from harmgauge.errors import ExchangeError, RecipeError
from harmgauge.exchange import MARKERS
from harmgauge.windows import Layout, Windower
from tiny import WORDS, make_tokenizer

TOKENIZER = make_tokenizer()
START, END = TOKENIZER.token_to_id("[CLS]"), TOKENIZER.token_to_id("[SEP]")
LAYOUT = Layout((START,), (END,), (END,), 32)
WINDOWER = Windower(TOKENIZER, LAYOUT)

texts = st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join)


def ids_of(text):
    return TOKENIZER.encode(text, add_special_tokens=False).ids


USER, ASSISTANT = ids_of(MARKERS["user"]), ids_of(MARKERS["assistant"])


def after(window, marker):
    """What a window holds of the text on trial."""
    places = [i for i in range(len(window)) if window[i : i + len(marker)] == marker]
    return window[places[-1] + len(marker) : -1]


def test_a_short_exchange_is_one_window():
    assert WINDOWER.windows(Exchange("hello", "thank you")) == [
        [START, *USER, *ids_of("hello"), END, *ASSISTANT, *ids_of("thank you"), END]
    ]
    assert WINDOWER.windows(Exchange("hello")) == [[START, *USER, *ids_of("hello"), END]]


def test_an_empty_text_is_one_window():
    assert WINDOWER.windows(Exchange("", "")) == [[START, *USER, END, *ASSISTANT, END]]


@given(
    prompt=st.none() | texts,
    response=texts,
    max_tokens=st.integers(8, 64),
    overlap=st.floats(0, 0.9),
)
def test_every_token_on_trial_is_in_some_window(prompt, response, max_tokens, overlap):
    layout = replace(LAYOUT, max_tokens=max_tokens, overlap=overlap)
    windows = Windower(TOKENIZER, layout).windows(Exchange(prompt, response))
    text, covered = ids_of(response), 0
    for window in windows:
        assert len(window) <= max_tokens
        assert window[0] == START
        assert window[-1] == END
        part = after(window, ASSISTANT)
        # Each part begins within what is covered so far, and goes on from there.
        starts = [i for i in range(covered + 1) if text[i : i + len(part)] == part]
        assert starts
        covered = max(covered, starts[-1] + len(part))
    assert covered == len(text)


@given(prompt=texts, response=texts)
def test_the_prompt_keeps_its_head_and_tail(prompt, response):
    whole = ids_of(prompt)
    budget = LAYOUT.max_tokens - 2 - len(ASSISTANT)
    for window in WINDOWER.windows(Exchange(prompt, response)):
        given_part = window[1 : -1 - len(after(window, ASSISTANT)) - len(ASSISTANT)]
        uncut = [*USER, *whole, END]
        if given_part != uncut:
            assert len(given_part) >= budget // 2
            head = len(given_part) // 2
            assert given_part[:head] == uncut[:head]
            assert given_part[head:] == uncut[head - len(given_part) :]


def test_neighbouring_windows_share_the_stated_part():
    text = " ".join(WORDS * 5)
    parts = [after(window, USER) for window in WINDOWER.windows(Exchange(text))]
    room = LAYOUT.max_tokens - 2 - len(USER)
    assert all(len(part) == room for part in parts)
    for left, right in pairwise(parts):
        shared = max(n for n in range(room) if left[room - n :] == right[:n])
        assert shared >= int(room * 0.25)


def test_special_tokens_spelled_in_a_text_are_plain_text():
    (window,) = WINDOWER.windows(Exchange("hello [SEP] [CLS] cat"))
    assert window.count(START) == 1
    assert window.count(END) == 1


def test_truncation_and_padding_of_the_tokenizer_file_are_undone():
    tokenizer = make_tokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=16)
    assert Windower(tokenizer, LAYOUT).windows(Exchange("hello")) == WINDOWER.windows(
        Exchange("hello")
    )


def test_a_window_without_room_for_text_is_refused():
    least = 3 + max(len(USER), len(ASSISTANT))
    assert Windower(TOKENIZER, replace(LAYOUT, max_tokens=least)).windows(Exchange("cat dog"))
    with pytest.raises(RecipeError, match=f"at least {least}"):
        Windower(TOKENIZER, replace(LAYOUT, max_tokens=least - 1))


@pytest.mark.parametrize("overlap", [-0.5, 1.0, float("nan")])
def test_an_overlap_that_would_hide_text_is_refused(overlap):
    with pytest.raises(RecipeError, match="overlap"):
        Windower(TOKENIZER, replace(LAYOUT, overlap=overlap))


# Letters that the vocabulary lacks, a private character that the tokenizer drops.
UNREAD = ["\u1230\u120b\u121d", "\u1230 \u120b, \u121d!", "\ue000"]


@pytest.mark.parametrize("text", UNREAD)
def test_a_text_of_which_nothing_is_read_cannot_be_judged(text):
    for exchange in (Exchange(text), Exchange("hello", text)):
        with pytest.raises(ExchangeError, match="reads nothing"):
            WINDOWER.read(exchange)
        assert len(WINDOWER.windows(exchange)) == 1


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange("hello"),
        Exchange("?!"),
        Exchange(f"{UNREAD[0]} bread"),
        Exchange(f"{UNREAD[0]} 7"),
        Exchange(UNREAD[0], "hello"),
    ],
)
def test_what_is_read_in_part_is_judged(exchange):
    assert WINDOWER.read(exchange) == WINDOWER.windows(exchange)


def test_turns_of_another_layout_are_opened_and_closed_as_it_says():
    turns = {"user": ((7,), (8,)), "assistant": ((9,), (10, 11))}
    layout = Layout((START,), (), (), 12, turns=turns)
    windower = Windower(make_tokenizer(), layout)
    hello, you = (windower._ids(word)[0] for word in ("hello", "you"))
    assert windower.windows(Exchange("hello")) == [[START, 7, hello, 8]]
    pair = windower.windows(Exchange("hello", "you"))
    assert pair == [[START, 7, hello, 8, 9, you, 10, 11]]
    long = windower.windows(Exchange("hello", "you " * 9))
    assert len(long) > 1
    assert all(ids[:5] == pair[0][:5] and ids[-2:] == [10, 11] for ids in long)
    assert all(len(ids) <= 12 for ids in long)
    bare = replace(layout, turns=dict.fromkeys(turns, ((), ())), separator=(2,), end=(3,))
    assert Windower(make_tokenizer(), bare).windows(Exchange("hello", "you")) == [
        [START, hello, 2, you, 3]
    ]
    assert Layout.from_dict(json.loads(json.dumps(asdict(layout)))) == layout
