"""What the server's own routes take and answer; OpenAI's form is in `openai`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from ..verdict import Verdict


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "input should be a string")
    return value


Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]
"""a string that may hold half of a surrogate pair: the gauge says so of that row, where pydantic
would refuse all of them"""
Cost = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Threshold = Cost | Annotated[str, Field(strict=True)] | None
Messages = Annotated[list[dict[str, Any]], Field(fail_fast=True)]


class Body(BaseModel):
    """A body of our own routes: an unknown key is refused, as it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        # Pydantic would tell of each of them.
        if isinstance(value, dict) and value.keys() - cls.model_fields.keys():
            known = ", ".join(cls.model_fields)
            raise PydanticCustomError(
                "extra_forbidden", "a key is not known; those that are: {known}", {"known": known}
            )
        return value


class Parts(Body):
    """An exchange as an object."""

    prompt: Text | None = None
    """what was said to the model; alone it is on trial"""
    response: Text | None = None
    """what the model answered; on trial, in the light of the prompt"""
    messages: Messages | None = None
    """a chat instead; its last turn is on trial"""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.messages is not None and not (self.prompt is None and self.response is None):
            raise PydanticCustomError(
                "two_forms", "give messages, or prompt and response, and not both"
            )
        return self


_FORMS = {str: "text", dict: "object", Parts: "object", list: "messages"}
AnyExchange = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[Parts, Tag("object")]
    | Annotated[Messages, Tag("messages")],
    Discriminator(
        lambda value: _FORMS.get(type(value)),
        custom_error_type="exchange_type",
        custom_error_message="expected a string, an object with prompt, response or messages, or "
        "a list of messages",
    ),
]


class ScoreRequest(Body):
    """Exchanges to judge."""

    exchanges: Annotated[list[AnyExchange], Field(fail_fast=True)]
    """each a string (a prompt), an object or a list of messages"""
    threshold: Threshold = None
    """unsafe from this cost on, or the name of a stored threshold; by default the server's"""

    def values(self) -> list[Any]:
        """The exchanges as `Exchange.of` reads them."""
        return [
            {name: value for name, value in each if value is not None}
            if isinstance(each, Parts)
            else each
            for each in self.exchanges
        ]


class RankRequest(Body):
    """Responses to order."""

    prompt: Text | None = None
    """what they answer to"""
    responses: Annotated[list[Text], Field(fail_fast=True)]
    threshold: Threshold = None
    """marks responses that are unsafe from this cost on, or from that of a stored threshold"""


class RewardRequest(BaseModel):
    """What OpenRLHF posts; other keys are left alone."""

    query: Annotated[list[Text], Field(fail_fast=True)]
    """prompts with their responses"""
    prompts: Annotated[list[Text], Field(fail_fast=True)] | None = None
    """what each query begins with; without them a whole query is on trial, as a response"""


class PolicyVersion(BaseModel):
    version: str


Warnings = Annotated[
    list[str] | None,
    Field(description="where a stored threshold is used on what it promises nothing of"),
]


@dataclass(frozen=True, slots=True)
class VerdictAnswer(Verdict):
    """A verdict, and with a policy what that says in the end."""

    flagged: bool | None = None
    reasons: list[str] | None = None
    """`cost`, `allowed`, or the categories that reached their thresholds"""


class ScoreAnswer(BaseModel):
    verdicts: list[VerdictAnswer]
    gauge: str
    direction: Literal["positive_is_unsafe"]
    policy: PolicyVersion | None = None
    warnings: Warnings = None


class Place(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    """of the response in the request"""
    cost: float
    unsafe: bool | None = None


class RankAnswer(BaseModel):
    ranking: list[Place]
    direction: Literal["positive_is_unsafe"]
    gauge: str
    threshold: float | None = None
    policy: PolicyVersion | None = None
    warnings: Warnings = None


class RewardAnswer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    rewards: list[float]
    """minus the cost, or min(0, threshold - cost): higher is safer"""
    scores: list[float]
    """probability of safe"""
    extra_logs: dict[str, list[float]]
    reward: str
    """what a reward is, in words"""
    direction: Literal["positive_is_safe"]
    gauge: str
    policy: PolicyVersion | None = None
    warnings: Warnings = None


FIELDS = frozenset(
    name
    for model in (ScoreRequest, RankRequest, RewardRequest, Parts)
    for name in model.model_fields
) | {"input", "model", "special_token"}
"""names that an error may tell, since they are ours"""
