"""A policy file: what is flagged beside the cost, what is allowed, and which version says so.

version: "2026-11"
threshold: 1.5
categories: {self_harm: 0.2}
allow: ["I could murder a curry."]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..errors import RecipeError
from ..exchange import Exchange
from ..gauge import Gauge
from ..settings import Section, read_mapping, validate
from ..verdict import Verdict, sigmoid
from .settings import Threshold

Probability = Annotated[float, Field(gt=0, le=1)]


class Policy(Section):
    """What decides beside the gauge."""

    version: Annotated[str, Field(min_length=1, max_length=100)]
    """told in every answer; change it with the file"""
    threshold: Threshold = None
    """flagged from this cost on, or the name of a stored threshold, where a request names none"""
    categories: dict[str, Probability] = Field(default_factory=dict)
    """the gauge's own names to the probability from which on a text is flagged, whatever its
    cost"""
    allow: tuple[str, ...] = ()
    """texts that are never flagged where they are on trial, character for character"""

    @cached_property
    def allowed(self) -> frozenset[str]:
        return frozenset(self.allow)

    def check(self, gauge: Gauge) -> None:
        """Raises:
        RecipeError: the policy names what the gauge has not.
        """
        gauge.threshold(self.threshold)
        known = gauge.manifest.categories
        if unknown := sorted(self.categories.keys() - set(known)):
            raise RecipeError(
                f"policy {self.version}: {gauge.name} has no category {', '.join(unknown)}; it "
                f"has {', '.join(known) or 'none'}"
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said in the end."""

    flagged: bool | None
    """None where nothing could be judged, or there is nothing to judge"""
    reasons: tuple[str, ...]
    """`allowed`; or `cost` and the categories that reached their thresholds"""


def read_policy(path: Path) -> Policy:
    """Raises:
    RecipeError: the file is missing or no YAML, or a key is unknown, missing or ill-valued.
    """
    return validate(Policy, read_mapping(path, "policy", "docs/serve.md"), path)


def decide(policy: Policy | None, exchange: Exchange | None, verdict: Verdict) -> Decision:
    """Whether a text is flagged: it is unsafe at the threshold or reaches one of a category, and
    is not allowed."""
    if verdict.unsafe is None:
        return Decision(None, ())
    if policy and exchange and exchange.on_trial in policy.allowed:
        return Decision(False, ("allowed",))
    categories = verdict.categories or {}
    reached = [
        name
        for name, least in (policy.categories if policy else {}).items()
        if categories.get(name, 0.0) >= least
    ]
    reasons = (*(["cost"] if verdict.unsafe else []), *reached)
    return Decision(bool(reasons), reasons)


def category_threshold(policy: Policy | None, name: str, verdict: Verdict) -> float:
    """The probability from which on a category is said to apply: the policy's, else that of the
    cost threshold, which no category reaches unless the cost does."""
    own: Any = policy.categories.get(name) if policy else None
    return sigmoid(verdict.threshold) if own is None else float(own)
