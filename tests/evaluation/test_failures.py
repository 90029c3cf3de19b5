from harmgauge.evaluation.failures import failures, otherwise_counted, reason


def test_failed_items_are_told_once_with_their_reason():
    assert failures("x", 0, 6, {"missing": 0}) == ""
    assert failures("x", 2, 6, {"truncated": 5}) == "2 failed with x"
    assert failures("x", 2, 6, {"missing": 2}) == "2 failed with x (without a score in its file)"
    first = failures("x", 3, 6, {"missing": 3}, ["t:1", "t:3"])
    assert first == "3 failed with x (without a score in its file: t:1, t:3 …)"
    assert failures("x", 1, 6, {}, ["t:1"]) == "1 failed with x (t:1)"
    some = failures("x", 5, 6, {"refused": 3})
    assert some == "5 failed with x (3 refused by its server)"


def test_where_all_failed_there_is_always_a_reason():
    all_of = failures("x", 6, 6, {"missing": 6, "unused": 2})
    assert all_of == "all 6 failed with x (without a score in its file)"
    assert reason(6, 6, {}) == "it gave no number for any"
    assert reason(6, 6, {"missing": 4}) == "4 without a score in its file"


def test_other_counts_are_those_of_no_failure():
    assert otherwise_counted({"missing": 4, "unused": 2, "truncated": 0}) == {"unused": 2}
