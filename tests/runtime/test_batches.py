import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harmgauge.runtime.batches import batches, pad


@given(st.lists(st.integers(1, 300)), st.integers(1, 2000))
def test_each_sequence_is_in_one_batch_within_the_budget(lengths, budget):
    made = list(batches(lengths, budget))
    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


def test_padding_is_a_small_share():
    lengths = np.random.default_rng(0).integers(5, 250, 1000).tolist()
    made = list(batches(lengths))
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in made)
    assert padded < 1.03 * sum(lengths)
    assert len(made) < 150


def test_pad_marks_what_is_real():
    ids, mask = pad([np.array([5, 6, 7]), np.array([8])])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert ids.dtype == mask.dtype == np.int64
