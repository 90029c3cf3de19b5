"""`/v1/moderations` in OpenAI's form (platform.openai.com/docs/api-reference/moderations).

Beside OpenAI's keys a result has `cost` and what belongs to it; clients that do not know them
leave them alone. docs/categories.md has the table of categories.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from starlette.responses import JSONResponse

from .. import taxonomy
from .bodies import PolicyVersion, Text, Warnings
from .errors import ApiError
from .judging import Judge, Judged
from .policy import Policy, category_threshold
from .strict_json import route_class

_CATEGORIES = taxonomy.table("openai")


class Part(BaseModel):
    type: Annotated[str, Field(strict=True)]
    text: Text | None = None


def _form(value: Any) -> str | None:
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        for form, kind in (("strings", str), ("parts", (dict, Part))):
            if all(isinstance(each, kind) for each in value):
                return form
    return None


Input = Annotated[
    Annotated[Text, Tag("string")]
    | Annotated[list[Text], Field(min_length=1, fail_fast=True), Tag("strings")]
    | Annotated[list[Part], Field(min_length=1, fail_fast=True), Tag("parts")],
    Discriminator(
        _form,
        custom_error_type="input_type",
        custom_error_message="expected a string, a list of strings or a list of text parts",
    ),
]


class ModerationRequest(BaseModel):
    """As OpenAI's; other keys are left alone."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    input: Input
    """a text; a list of texts; or a list of text parts, which are one text"""
    model: Annotated[str, Field(strict=True)] | None = None
    """any name is taken, and the answer tells the gauge's"""


class Result(BaseModel):
    """What is said of one text."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    flagged: bool
    """unsafe at the cost threshold, or by the policy"""
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text"]]]
    cost: float
    """calibrated log-odds of unsafe: below 0 safe, above 0 unsafe"""
    probability: float
    threshold: float
    direction: Literal["positive_is_unsafe"]
    empty: bool
    """there was nothing to judge"""
    categories_not_judged: list[str]
    """of OpenAI's categories those of which the gauge knows nothing: false and 0.0 above"""
    reasons: list[str] | None = None
    """with a policy: why it is flagged, or `allowed`"""


class ModerationAnswer(BaseModel):
    id: str
    model: str
    results: list[Result]
    policy: PolicyVersion | None = None
    warnings: Warnings = None


def routes(judge: Judge) -> APIRouter:
    router = APIRouter(route_class=route_class(judge.settings.max_exchanges))

    @router.post("/v1/moderations", response_model=ModerationAnswer)
    async def moderations(request: ModerationRequest) -> JSONResponse:
        """OpenAI's moderation endpoint: texts in, flags and category scores out."""
        judged = await judge.judge(_texts(request.input), None, "input")
        for row, each in enumerate(judged):
            if each.verdict.error is not None:  # a result would say it is safe
                raise ApiError(
                    400,
                    f"input.{row} cannot be judged: {each.verdict.error}",
                    code="cannot_be_judged",
                    param=f"input.{row}",
                )
        about = judge.about(judged)
        known = judge.gauge.manifest.categories
        answer = {
            "id": f"modr-{uuid.uuid4().hex}",
            "model": about.pop("gauge"),
            "results": [_result(each, known, judge.policy) for each in judged],
        }
        return JSONResponse(answer | about)

    return router


def _texts(given: str | list[str] | list[Part]) -> list[str]:
    if isinstance(given, str):
        return [given]
    entries: Sequence[str | Part] = given
    texts = []
    for row, each in enumerate(entries):
        if isinstance(each, str):
            texts.append(each)
        elif each.type == "image_url":
            raise ApiError(
                400,
                f"input.{row} is an image, and this gauge judges text only",
                code="images_not_supported",
                param=f"input.{row}",
            )
        elif each.type != "text" or each.text is None:
            raise ApiError(
                400,
                f"input.{row} must be a text part: its type text, and its text a string",
                code="input_type",
                param=f"input.{row}",
            )
        else:
            texts.append(each.text)
    return texts if isinstance(given[0], str) else ["\n".join(texts)]


def _result(judged: Judged, known: Iterable[str], policy: Policy | None) -> dict[str, Any]:
    verdict, decision = judged.verdict, judged.decision
    scores = taxonomy.translate(verdict.categories, "openai")
    result = {
        "flagged": bool(decision.flagged),
        "categories": {
            name: bool(decision.flagged) and _applies(judged, parts, policy)
            for name, parts in _CATEGORIES.items()
        },
        "category_scores": {name: score or 0.0 for name, score in scores.items()},
        "category_applied_input_types": {
            name: [] if score is None else ["text"] for name, score in scores.items()
        },
        "cost": verdict.cost,
        "probability": verdict.probability,
        "threshold": verdict.threshold,
        "direction": verdict.direction,
        "empty": bool(verdict.empty),
        "categories_not_judged": [
            name for name, parts in _CATEGORIES.items() if not set(parts) & set(known)
        ],
    }
    return result | ({"reasons": list(decision.reasons)} if policy else {})


def _applies(judged: Judged, parts: tuple[str, ...], policy: Policy | None) -> bool:
    categories = judged.verdict.categories or {}
    return any(
        categories[part] >= category_threshold(policy, part, judged.verdict)
        for part in parts
        if part in categories
    )
