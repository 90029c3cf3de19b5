import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from harmgauge.evaluation.curves import curves
from harmgauge.evaluation.figures import Figure
from harmgauge.evaluation.report.pictures import costs, dots

EIGHT = {f"gauge {number}": [Figure(0.5 + number / 20, 9, 0.4, 0.95)] for number in range(8)}


def test_long_names_are_shortened_and_keep_their_number():
    drawn = dots(["a category of many words and of no end (1204)", "short (3)"], {}, "x", "t")
    assert re.search(r"a category of [^<]*…[^<]* \(1204\)|a category[^<]*… \(1204\)", drawn)
    assert "short (3)" in drawn


def test_eight_gauges_look_different():
    drawn = dots(["one"], EIGHT, "AUROC", "title")
    colours = {
        colour
        for use in re.findall(r'style="[^"]*"', drawn)
        for colour in re.findall(r"fill: (#[0-9a-f]{6})", use)
    }
    assert len(colours - {"#010203"}) == 8


def test_the_threshold_is_seen_where_all_costs_lie_below_and_ticks_are_short():
    eight = np.linspace(-4, -2, 8)
    drawn = costs(curves(np.arange(8) < 4, eight, True), 0.0, "Costs")
    assert "flagged from 0 on" in drawn
    ticks = re.findall(r">([\d.]+)%<", drawn)
    assert len(ticks) > 2
    assert all(len(tick) <= 2 for tick in ticks)
    assert "flagged" not in costs(curves(np.arange(8) < 4, eight, True), None, "Costs")
