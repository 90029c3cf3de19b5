"""Scores of an HTTP endpoint, OpenAI's moderation endpoint among them."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
from tqdm import tqdm

from ...errors import HarmgaugeError, RecipeError
from ...exchange import Exchange
from .base import Batch, Floats, Scored, as_record, as_scores

# As many as servers of this kind take by default (text-embeddings-inference: 32).
_AT_ONCE = 32
_TIMEOUT_S = 60
_TRIES = 6
_LONGEST_WAIT_S = 60.0
# What a server says to a request that it cannot take: one of its texts may be the cause.
_REFUSED = (400, 413, 422)
_NOT_TAKEN = object()


class EndpointSource:
    """An endpoint that takes exchanges as JSON.

    A URL that ends in `/moderations` is asked as OpenAI's is: `{"input": [text, …]}`, and the score
    is the highest of `category_scores`, or that of one category. Any other gets
    `{"exchanges": [record, …]}` (see `as_record`) and answers `{"costs": [number, …]}`.
    """

    identity = None  # what answers at a URL may change any day

    def __init__(
        self,
        name: str,
        url: str,
        category: str | None = None,
        model: str | None = None,
        token_env: str | None = None,
    ) -> None:
        """Raises:
        RecipeError: a key does not fit, or the environment variable of the token is not set.
        """
        self._name = name
        self._url = url
        self._category = category
        self._extra = {} if model is None else {"model": model}
        self._moderations = urllib.parse.urlsplit(url).path.rstrip("/").endswith("/moderations")
        if category is not None and not self._moderations:
            raise RecipeError(f"{name}: category is for URLs that end in /moderations")
        self._headers = {"Content-Type": "application/json"}
        if token_env is not None:
            token = os.environ.get(token_env)
            if not token:
                raise RecipeError(f"{name}: the environment variable {token_env} is not set")
            self._headers["Authorization"] = f"Bearer {token}"
        shown = urllib.parse.urlsplit(url)
        self.facts: dict[str, Any] = {
            "http": f"{shown.scheme}://{shown.netloc.rpartition('@')[2]}{shown.path}"
        }
        if self._moderations:
            self.facts["category"] = category or "highest"
        self.facts |= self._extra

    def scores(self, batch: Batch, *, progress: bool) -> Scored:
        exchanges, parts = batch.exchanges, [np.empty(0)]
        refused = 0
        with tqdm(total=len(exchanges), desc=self._name, disable=not progress) as bar:
            for start in range(0, len(exchanges), _AT_ONCE):
                for part in self._ask(exchanges[start : start + _AT_ONCE]):
                    parts.append(np.full(1, np.nan) if part is None else part)
                    refused += part is None
                if refused == len(parts) - 1:
                    raise HarmgaugeError(
                        f"{self._name}: {self.facts['http']} refused each of the first texts; does "
                        "it take requests of this shape? See docs/scorers.md"
                    )
                bar.update(min(_AT_ONCE, len(exchanges) - start))
        return Scored(np.concatenate(parts), {"refused": refused})

    def _ask(self, exchanges: Sequence[Exchange]) -> Iterator[Floats | None]:
        """Scores of some exchanges in parts, in order; None for one that is refused even alone."""
        body = self._post(exchanges)
        if body is not _NOT_TAKEN:
            yield self._read(body, len(exchanges))
        elif len(exchanges) == 1:
            yield None
        else:
            middle = len(exchanges) // 2
            yield from self._ask(exchanges[:middle])
            yield from self._ask(exchanges[middle:])

    def _post(self, exchanges: Sequence[Exchange]) -> Any:
        """The answer, or `_NOT_TAKEN` where the server refuses to take what it got."""
        if self._moderations:
            content: dict[str, Any] = {"input": [each.on_trial for each in exchanges]}
        else:
            content = {"exchanges": [as_record(each) for each in exchanges]}
        data = json.dumps({**content, **self._extra}).encode()
        for tries in range(1, _TRIES + 1):
            request = urllib.request.Request(self._url, data, self._headers)
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in _REFUSED:
                        return _NOT_TAKEN
                    if error.code not in (429, 503) or tries == _TRIES:
                        # Not what it says beside its status: servers echo their input in it.
                        raise self._failed(f"answers with status {error.code}") from None
                    wait = _retry_after(error.headers["Retry-After"], 2.0 ** (tries - 1))
                time.sleep(min(wait, _LONGEST_WAIT_S))
            except TimeoutError:
                raise self._failed(f"gave no answer within {_TIMEOUT_S} s") from None
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                why = getattr(reason, "strerror", None) or type(reason).__name__
                raise self._failed(f"cannot be reached ({why}); is the server running?") from None
            except (ValueError, RecursionError):  # the latter of brackets without end
                raise self._failed("gave an answer that is not JSON") from None
        raise AssertionError  # the last try returns or raises

    def _read(self, body: Any, expected: int) -> Floats:
        try:
            if not self._moderations:
                return as_scores(body["costs"], expected, self._name)
            return as_scores(
                [self._of_categories(result["category_scores"]) for result in body["results"]],
                expected,
                self._name,
            )
        except (KeyError, TypeError, AttributeError):
            lacking = "results with category_scores" if self._moderations else "a list of costs"
            raise self._failed(f"gave an answer without {lacking}") from None

    def _of_categories(self, scores: Mapping[str, float | None]) -> float | None:
        if self._category is None:
            known = [score for score in scores.values() if score is not None]
            return max(known, default=None)
        if self._category not in scores:
            raise RecipeError(
                f"{self._name}: there is no category {self._category}; the endpoint has "
                f"{', '.join(sorted(scores))}"
            )
        return scores[self._category]

    def _failed(self, what: str) -> HarmgaugeError:
        return HarmgaugeError(f"{self._name}: {self.facts['http']} {what}")


def _retry_after(header: str | None, default: float) -> float:
    """Seconds to wait, from a header that holds seconds or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return default
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return default
