import pytest

from harmgauge import BundleError, DataError, ExchangeError, HarmgaugeError, RecipeError
from harmgauge.errors import needs_extra


@pytest.mark.parametrize("kind", [BundleError, DataError, ExchangeError, RecipeError])
def test_every_error_can_be_caught_as_one_or_as_a_value_error(kind):
    assert issubclass(kind, HarmgaugeError)
    assert issubclass(kind, ValueError)


def test_a_missing_extra_names_its_mend():
    assert "extra train, in a clone by pip install '.[train]'" in str(
        needs_extra("train", "reading parquet")
    )
