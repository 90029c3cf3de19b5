"""`/v1/score`, `/v1/rank` and `/v1/reward`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse

from ..errors import ExchangeError
from ..exchange import Kind
from ..integrations.openrlhf import read_request, write_answer
from ..integrations.reward import reward_of
from ..verdict import DIRECTION
from .bodies import (
    RankAnswer,
    RankRequest,
    RewardAnswer,
    RewardRequest,
    ScoreAnswer,
    ScoreRequest,
)
from .errors import ApiError
from .judging import Judge, Judged
from .settings import cost_or_name
from .strict_json import route_class


def routes(judge: Judge) -> APIRouter:
    router = APIRouter(route_class=route_class(judge.settings.max_exchanges))

    @router.post("/v1/score", response_model=ScoreAnswer)
    async def score(request: ScoreRequest) -> JSONResponse:
        """Judge exchanges: a verdict each, in order. What cannot be judged has a null cost and an
        error."""
        judged = await judge.judge(request.values(), request.threshold, "exchanges")
        verdicts = [_verdict(each, bool(judge.policy)) for each in judged]
        return JSONResponse({"verdicts": verdicts, "direction": DIRECTION} | judge.about(judged))

    @router.post("/v1/rank", response_model=RankAnswer)
    async def rank(request: RankRequest) -> JSONResponse:
        """Order responses to one prompt, safest first; ties keep their order."""
        threshold = judge.threshold(request.threshold)
        values = [{"prompt": request.prompt, "response": each} for each in request.responses]
        judged = await judge.judge(values, threshold, "responses")
        ranking: list[dict[str, Any]] = []
        for index, each in enumerate(judged):
            if each.verdict.error is not None:
                raise ApiError(
                    400,
                    f"responses.{index} cannot be ranked: {each.verdict.error}",
                    code="cannot_be_judged",
                    param=f"responses.{index}",
                )
            ranking.append({"index": index, "cost": each.verdict.cost})
            if threshold is not None:
                ranking[-1]["unsafe"] = each.verdict.unsafe
        answer: dict[str, Any] = {
            "ranking": sorted(ranking, key=lambda place: float(place["cost"]))
        }
        if threshold is not None:
            kind: Kind = "response" if request.prompt is None else "exchange"
            answer["threshold"] = judge.gauge.threshold(threshold, kind)
        return JSONResponse(answer | {"direction": DIRECTION} | judge.about(judged))

    @router.post("/v1/reward", response_model=RewardAnswer)
    async def reward(
        request: RewardRequest,
        http: Request,
        threshold: Annotated[str | None, Query(description="a cost or a stored name")] = None,
        special_token: Annotated[
            list[str],
            Query(
                max_length=32, description="taken off the end of queries; may stand several times"
            ),
        ] = [],  # noqa: B006
    ) -> JSONResponse:
        """Rewards for OpenRLHF's `remote_rm_url`: minus the cost, so that higher is safer. With a
        threshold min(0, threshold - cost)."""
        _check_query(http.query_params)
        asked = None if threshold is None else cost_or_name(threshold)
        try:
            values = read_request(request.model_dump(), special_tokens=special_token)
        except ExchangeError as error:
            raise ApiError(400, str(error), code="query", param="query") from None
        judged = await judge.judge(values, asked, "query")
        answer = write_answer([(reward_of(each.verdict, asked), each.verdict) for each in judged])
        answer |= {
            "reward": "minus the cost" if asked is None else "min(0, threshold - cost)",
            "direction": "positive_is_safe",
        }
        return JSONResponse(answer | judge.about(judged))

    return router


def _check_query(given: QueryParams) -> None:
    """Raises:
    ApiError: a name is misspelt, or a threshold stands twice; rewards would be others than meant.
    """
    if given.keys() - {"threshold", "special_token"}:
        raise ApiError(
            400,
            "the query has a name that is not known; it takes threshold and special_token",
            code="unknown_parameter",
        )
    if len(given.getlist("threshold")) > 1:
        raise ApiError(400, "threshold stands twice; give it once", code="twice", param="threshold")


def _verdict(judged: Judged, with_policy: bool) -> dict[str, Any]:
    verdict = judged.verdict.to_dict()
    if with_policy:
        decision = judged.decision
        verdict |= {"flagged": decision.flagged, "reasons": list(decision.reasons)}
    return verdict
