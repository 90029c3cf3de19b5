"""Rows from templates: seeded, distinct, well-formed, with parts that share no content."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from harmgauge import DataError, Exchange
from harmgauge.data.check import check
from harmgauge.data.lengths import Measure
from harmgauge.data.normalise import normalise
from harmgauge.data.read import read_rows
from harmgauge.data.row import Item, Row
from harmgauge.data.templates.family import (
    PARTS,
    families,
    part_of,
    read_family,
    shared_slots,
    template_records,
)
from harmgauge.data.templates.grammar import Draw, tidy
from harmgauge.data.templates.refusals import answer_with_refusals, put_refusals_first
from harmgauge.data.templates.voice import Voice
from harmgauge.evaluation.refusals import REFUSAL, opens_with_refusal

LABELS = {
    "harmless_scary": {True},
    "unsafe_polite": {False},
    "technical_work": {True, False},
    "instructions": {True, False},
    "twins": {True, False},
    "identity_neutral": {True},
    "hateful_mild": {False},
    "counter_speech": {True},
    "hostile_harmless": {True},
    "conversations": {True, False},
    "security_tasks": {True, False},
    "work_tasks": {True, False},
    "chat_prompts": {True, False},
    "adult_content": {True, False},
    "pain_and_violence": {True, False},
    "answers": {True, False},
    "held_out_tasks": {True, False},
}
PAGE = Path("docs/templates.md").read_text(encoding="utf-8")
PARTED = ("declines", "because", "instead")


@cache
def records(family, part):
    return template_records(f"templates:{family}:{part}")[2]


def texts(record):
    return tuple(message["content"] for message in record["messages"])


def test_these_are_the_families():
    assert set(families()) == set(LABELS)


@pytest.mark.parametrize("family", LABELS)
@pytest.mark.parametrize("part", PARTS)
def test_texts_are_distinct_labelled_and_many(family, part):
    rows = records(family, part)
    assert len(set(map(texts, rows))) == len(rows) >= {"train": 1500, "valid": 350}[part]
    assert {row["is_safe"] for row in rows} == LABELS[family]
    if len(LABELS[family]) == 2:
        share = sum(row["is_safe"] for row in rows) / len(rows)
        assert 0.4 < share < 0.75


def test_the_page_counts_them():
    for family in LABELS:
        counts = [f"{len(records(family, part))}" for part in PARTS]
        assert re.search(rf"^\| `{family}` \|.*\| {counts[0]} \| {counts[1]} \|$", PAGE, re.M)


FAULTS = {
    "slot": re.compile(r"[{}]|a\(n\)"),
    "space": re.compile(r"  |^\s|\s$|^$| [,.;!](\s|$)"),
    "article": re.compile(
        r"\b[Aa] (?!(?:eu|one|once|uni|use|ukr))(?:[aeiou])\w|\b[Aa]n [bcdfgjkpqtvwz]", re.I
    ),
}


@pytest.mark.parametrize("family", LABELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_texts_are_well_formed(family, fault):
    faulty = {
        row["template"]
        for part in PARTS
        for row in records(family, part)
        for text in texts(row)
        if FAULTS[fault].search(text)
    }
    assert not faulty


@pytest.mark.parametrize("family", LABELS)
def test_parts_share_no_template_and_no_filler(family):
    names = [{row["template"].split("/")[0] for row in records(family, part)} for part in PARTS]
    assert not names[0] & names[1]
    for topic in read_family(family):
        assert len(topic.templates) >= 4, topic.name
        for slot, fillers in topic.slots.items():
            assert len(fillers) >= 4, (topic.name, slot)
            assert len({str(filler) for filler in fillers if filler}) == sum(map(bool, fillers))
            assert all(isinstance(filler, (str, dict)) for filler in fillers), (topic.name, slot)
    identities = [{row.get("identity") for row in records(family, part)} - {None} for part in PARTS]
    assert not identities[0] & identities[1]
    openings = [{normalise(texts(row)[0]) for row in records(family, part)} for part in PARTS]
    greetings = {"hi", "hey there"}  # openings without content
    assert not (openings[0] & openings[1]) - greetings


def test_no_text_has_both_labels():
    labels = defaultdict(set)
    for family in LABELS:
        for part in PARTS:
            for row in records(family, part):
                labels[texts(row)].add(row["is_safe"])
    assert all(len(found) == 1 for found in labels.values())


def test_swaps_differ_in_the_group_alone():
    for family in ("identity_neutral", "hateful_mild", "counter_speech"):
        for part in PARTS:
            sizes = Counter(row["template"] for row in records(family, part))
            groups = {each["name"]: each for each in shared_slots(part)["who"]}
            left = defaultdict(set)
            for row in records(family, part):
                text = texts(row)[0].lower()
                forms = sorted(groups[row["identity"]].values(), key=len, reverse=True)
                for form in forms:
                    text = text.replace(form.lower(), "*")
                left[row["template"]].add(text)
            same = sum(len(found) == 1 for found in left.values())
            assert same / len(left) > 0.9  # a form within another leaves a rest
            assert max(sizes.values()) == (8 if part == "train" else len(groups))


def test_the_seed_decides():
    assert template_records("templates:twins:valid") == template_records("templates:twins:valid")
    assert (
        template_records("templates:twins:valid", 1)[2]
        != template_records("templates:twins:valid")[2]
    )


def test_without_a_part_it_is_both():
    _, part, rows = template_records("templates:hostile_harmless")
    assert part == "all"
    assert rows == [*records("hostile_harmless", "train"), *records("hostile_harmless", "valid")]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("templates:harmless_scarry", "did you mean harmless_scary?"),
        ("templates:zzz:train", "known are adult_content, answers"),
        ("templates:", "known are"),
        ("templates:twins:test", "no part 'test'; use train or valid"),
    ],
)
def test_an_unknown_family_or_part_is_named(address, said):
    with pytest.raises(DataError, match=re.escape(said)):
        read_rows(address)


def test_they_are_read_as_any_file():
    table = read_rows("templates:conversations:valid")
    assert not table.bad
    assert (table.source, table.schema) == ("conversations", "messages")
    assert table.rows[0].id == "conversations:valid:1"
    assert {row.meta["kind"] for row in table.rows} == {"follow_up", "answer"}
    ends = {(row.meta["kind"], row.items[0].exchange.response is None) for row in table.rows}
    assert ends == {("follow_up", True), ("answer", False)}


def test_the_data_check_finds_no_leak_and_no_contradiction():
    measure = Measure(lambda exchange: len(exchange.on_trial), "characters", None, "")
    tables = {part: read_rows(f"templates:hateful_mild:{part}") for part in PARTS}
    report = check(tables, measure)
    assert not report.shared
    for file in report.files:
        for kind in ("exact_duplicates", "contradictory_labels", "empty_prompts"):
            assert file.findings[kind].count == 0


def test_slots_forms_articles_and_capitals():
    slots = {"x": ["{y} tree"], "y": ["apple"], "who": [{"one": "a cat", "many": "cats"}]}
    draw = Draw(slots, random.Random(0))
    assert draw.fill("here is a(n) {x}.  {who.one} sat ; {who.many} sit") == (
        "Here is an apple tree. A cat sat; cats sit"
    )
    assert tidy("a(n) hour, a(n) user, a(n) SOC worker, A(n) x") == (
        "An hour, a user, a SOC worker, A x"
    )
    for template in ("{z}", "{who}", "{who.none}", "{y.one}"):
        with pytest.raises(DataError, match="slot"):
            draw.fill(template)


def test_a_slip_keeps_letters_and_ends():
    assert Voice(small=True, slip=0.0).put_on("My Window Is Open.") == "my widnow is open"
    assert Voice("Hi!", "Thanks!").put_on("How?") == "Hi! How? Thanks!"


def test_every_fourth_is_for_validation():
    assert part_of(range(9), "valid") == [3, 7]
    assert part_of(range(9), "train") == [0, 1, 2, 4, 5, 6, 8]


def answers(n, unsafe):
    return [
        Row(f"{i}", "made", (Item(Exchange("What now?", f"Turn left {i}."), unsafe),))
        for i in range(n)
    ]


def test_refusals_come_first_in_their_share_and_labels_stay():
    rows = [*answers(400, 1.0), *answers(400, 0.0), *answers(50, None)]
    made = put_refusals_first(rows, 0.4, seed=0)
    assert made == put_refusals_first(rows, 0.4, seed=0) != put_refusals_first(rows, 0.4, seed=1)
    changed = Counter()
    for before, after in zip(rows, made, strict=True):
        assert after.items[0].unsafe == before.items[0].unsafe
        assert after.items[0].exchange.prompt == before.items[0].exchange.prompt
        old, new = (row.items[0].exchange.response for row in (before, after))
        assert new.endswith(old)
        changed[before.items[0].unsafe] += new != old
    assert changed[1.0] == pytest.approx(160, abs=40)
    assert changed[0.0] == pytest.approx(160, abs=40)
    assert changed[None] == 0


def test_prompts_get_no_refusal_and_both_of_a_pair_may():
    prompt = Row("p", "made", (Item(Exchange("Hi"), 1.0),))
    pair = Row("q", "made", tuple(Item(Exchange("Hi", text), 1.0) for text in ("a", "b")), 0)
    assert put_refusals_first([prompt], 1.0, 0) == [prompt]
    made = put_refusals_first([pair], 1.0, 0)[0]
    assert all(len(item.exchange.response) > 5 for item in made.items)
    assert made.safer == 0


def test_a_refusal_answers_prompts_stands_in_for_responses_and_is_safe():
    prompt, said = Item(Exchange("Hi"), 1.0), Item(Exchange(response="Go left."), 1.0, severity=2)
    told = Item(Exchange("Hi", "Go left.", (("user", "Hm."), ("assistant", "Yes?"))), None)
    pair = Row("q", "made", (Item(Exchange("Hi", "a"), 1.0), Item(Exchange("Hi", "b"), 0.0)), 1)
    rows = [Row(f"{i}", "made", (item,)) for i, item in enumerate((prompt, said, told))] + [pair]
    made = answer_with_refusals(rows, "train", 0)
    assert made == answer_with_refusals(rows, "train", 0) != answer_with_refusals(rows, "train", 1)
    assert [row.id for row in made] == [row.id for row in rows]
    for before, after in zip(rows, made, strict=True):
        (item,), old = after.items, before.items[0].exchange
        assert after.safer is None
        assert (item.unsafe, item.severity, item.categories) == (0.0, None, None)
        assert item.exchange == replace(old, response=item.exchange.response)
        assert item.exchange.response not in (None, old.response)


def test_unusual_refusals_of_validation_stand_in_no_training_row():
    rows = answers(4000, 1.0)
    drawn = {
        part: {row.items[0].exchange.response for row in answer_with_refusals(rows, part, 0)}
        for part in PARTS
    }
    assert len(drawn["train"]) > 2000
    for part, other in (PARTS, PARTS[::-1]):
        own = [words for slot in PARTED for words in shared_slots(part)[slot]]
        assert all(any(words in text for text in drawn[part]) for words in own)
        assert not any(words in text for words in own for text in drawn[other])
    of_validation = shared_slots("valid")["declines"]
    assert all(any(words in text for words in of_validation) for text in drawn["valid"])


def test_sources_draw_refusals_apart_from_each_other():
    made = [
        [row.items[0].exchange.response for row in answer_with_refusals(rows, "train", 0)]
        for rows in (answers(100, 1.0), [replace(row, id=f"x{row.id}") for row in answers(100, 1)])
    ]
    assert sum(one == other for one, other in zip(*made, strict=True)) < 10


def test_no_refusal_of_training_holds_a_sentence_of_the_probes(monkeypatch):
    monkeypatch.syspath_prepend("benchmarks")
    from refusals import REFUSALS

    assert REFUSAL in REFUSALS
    assert len(REFUSALS) == 5
    rows = answers(4000, 1.0)
    made = [*answer_with_refusals(rows, "train", 0), *put_refusals_first(rows, 1.0, 0)]
    texts = [normalise(row.items[0].exchange.response) for row in made]
    for probe in REFUSALS:
        assert not any(normalise(probe) in text for text in texts)


def test_refusals_vary_and_are_not_the_sentence_of_the_probe():
    rng, slots = random.Random(0), shared_slots("train")
    drawn = [Draw(slots, rng).fill("{refusal}") for _ in range(3000)]
    assert len(set(drawn)) > 500
    assert normalise(REFUSAL) not in map(normalise, drawn)
    assert sum(map(opens_with_refusal, drawn)) / len(drawn) > 0.6
