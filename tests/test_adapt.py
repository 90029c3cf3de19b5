"""The rows of `benchmarks/adapt.py`: a policy of one's own, in parts that share nothing."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("accelerate")


@pytest.fixture
def adapt(monkeypatch):
    monkeypatch.syspath_prepend("benchmarks")
    import adapt

    return adapt


def test_parts_are_balanced_distinct_and_share_no_template_or_filler(adapt):
    import yaml

    parts = {
        part: adapt.make_rows(part, size)
        for part, size in (("train", 400), ("valid", 100), ("held_out", 200))
    }
    texts = [row["prompt"] for rows in parts.values() for row in rows]
    assert len(set(texts)) == 700
    for rows in parts.values():
        assert Counter(row["is_safe"] for row in rows)[True] == len(rows) / 2
    policy = yaml.safe_load(adapt.POLICY.read_text(encoding="utf-8"))
    topics = [policy, *policy["topics"].values()]
    lists = [fillers for topic in topics for fillers in topic.get("slots", {}).values()]
    lists += [topic.get(label, []) for topic in topics[1:] for label in ("safe", "unsafe")]
    for items in lists:
        cut = [adapt._part_of(items, part) for part in parts]
        assert sum(map(len, cut)) == len(set(items)) == len(items)
        assert all(cut) or not items


def test_rows_are_the_same_in_every_run(adapt):
    assert adapt.make_rows("train", 60) == adapt.make_rows("train", 60)
