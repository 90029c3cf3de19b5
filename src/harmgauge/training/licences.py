"""Open weights come from open things alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from ..bundle import Manifest
from ..errors import RecipeError

OPEN = frozenset(
    {
        *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unlicense", "CC0-1.0"),
        *("CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "ODC-By-1.0", "PDDL-1.0"),
    }
)
"""SPDX ids; an unknown one is not taken for open"""


def check_expression(licence: str) -> None:
    """Raises:
    RecipeError: it is no SPDX expression of known ids.
    """
    try:
        canonicalize_license_expression(licence)
    except InvalidLicenseExpression:
        raise RecipeError(
            f"licence {licence!r} is no SPDX expression, such as Apache-2.0 or CC-BY-NC-4.0; write "
            "LicenseRef-NAME for a licence that SPDX does not list"
        ) from None


def is_open(expression: str) -> bool:
    """Whether all ids of an SPDX expression are open."""
    return all(name in OPEN for name in re.split(r"\bAND\b|\bOR\b|[()\s]+", expression) if name)


def check_licence(
    licence: str,
    teachers: Iterable[Mapping[str, Any]],
    earlier: Iterable[Mapping[str, Any]],
    gauges: Iterable[Manifest] = (),
) -> None:
    """See that a gauge with an open licence learns from no gauge that is not open.

    Sources of thresholds are none of its business: a stored cost counts how many of their texts lie
    above it, and no weight follows from them. Their licences stand beside it, `Threshold.licences`.

    Args:
        licence: of the weights to be made.
        teachers: as in `Manifest.teachers`.
        earlier: data of the gauges or the model that training goes on from, as in `Manifest.data`.
        gauges: those from which it goes on.

    Raises:
        RecipeError: it does; what a non-commercial gauge teaches is non-commercial.
    """
    if not is_open(licence):
        return
    for teacher in teachers:
        if not is_open(teacher["licence"]):
            raise _closed(licence, f"teacher {teacher['gauge']}", teacher["licence"])
        for source in teacher["data"]:
            if not is_open(source["licence"]):
                what = f"{source['source']}, which teacher {teacher['gauge']} learnt from,"
                raise _closed(licence, what, source["licence"])
    for source in earlier:
        if not is_open(source["licence"]):
            what = f"{source['source']}, which the base or a merged gauge learnt from,"
            raise _closed(licence, what, source["licence"])
    for gauge in gauges:
        if not is_open(gauge.licence):
            raise _closed(licence, f"{gauge.id}, from whose weights it begins,", gauge.licence)


def _closed(licence: str, what: str, found: str) -> RecipeError:
    return RecipeError(
        f"the recipe's licence {licence} is open, but {what} has the licence {found}; state a "
        "licence that allows no more than that, or leave out the teacher or the base that brings it"
    )
