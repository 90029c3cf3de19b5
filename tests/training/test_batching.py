import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harmgauge.training.batching import bucketed_batches

sizes = st.lists(st.tuples(st.integers(1, 2), st.integers(1, 300)), max_size=80)


@given(sizes, st.integers(16, 600), st.integers(0, 5))
def test_each_example_is_in_one_batch_and_batches_keep_the_budget(sizes, budget, seed):
    batches = bucketed_batches(sizes, budget, np.random.default_rng(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    for batch in batches:
        tokens = sum(sizes[i][0] for i in batch) * max(sizes[i][1] for i in batch)
        assert tokens <= budget or len(batch) == 1


def test_the_seed_alone_decides_the_order():
    sizes = [(1, 5 + i % 40) for i in range(200)]
    first, again, other = (
        bucketed_batches(sizes, 256, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_buckets_waste_little_on_padding():
    lengths = np.random.default_rng(0).integers(5, 256, 2000)
    sizes = [(1, int(length)) for length in lengths]

    def padding(batches):
        padded = sum(len(batch) * max(lengths[batch]) for batch in batches)
        return 1 - sum(lengths[batch].sum() for batch in batches) / padded

    assert padding(bucketed_batches(sizes, 4096, np.random.default_rng(0))) < 0.12
    assert padding([list(range(i, i + 32)) for i in range(0, 1984, 32)]) > 0.4
