from __future__ import annotations

import pytest
from arithmetic import make_gauge
from serving import serving


@pytest.fixture(scope="module")
def gauge():
    return make_gauge()


@pytest.fixture(scope="module")
def client(gauge):
    with serving(gauge) as client:
        yield client
