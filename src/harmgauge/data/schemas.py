"""Upstream schemas, one entry each: which columns tell it, and how a record becomes a row.

To add a source, add one `Schema` to `SCHEMAS`; docs/data.md lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from ..errors import DataError
from ..exchange import Exchange
from .fields import META, Fields, Reading
from .labels import IS_SAFE, IS_UNSAFE, WORDS, LabelMap
from .row import Item
from .transcript import read_transcript

Reader = Callable[[Fields], Reading]


@dataclass(frozen=True, slots=True)
class Schema:
    """An upstream layout of columns."""

    name: str
    what: str
    required: frozenset[str]
    """columns that must all be there"""
    read: Reader
    one_of: frozenset[str] = frozenset()
    """columns of which at least one must be there"""
    optional: frozenset[str] = frozenset()
    """other columns that the reader uses or that are known to say nothing of use"""
    label: str | None = None
    """the column whose values `labels` explains; None where the reader finds labels itself"""
    labels: LabelMap = field(default_factory=dict)
    """what the values of `label` mean where the user states nothing"""
    strict: bool = False
    """True where no column need say safe or unsafe: an unknown column might, so it is refused"""

    def fits(self, columns: frozenset[str]) -> bool:
        if not self.required <= columns or (self.one_of and not self.one_of & columns):
            return False
        return not (self.strict and self.unused(columns))

    def unused(self, columns: frozenset[str]) -> list[str]:
        """Columns of a file that this schema does not know."""
        return sorted(columns - self.known_columns - META)

    @property
    def known_columns(self) -> frozenset[str]:
        return self.required | self.one_of | self.optional

    def contains(self, other: Schema) -> bool:
        """True when a file of this schema would also look like one of the other."""
        return other.required < self.known_columns and not self.required < other.known_columns


def recognise(columns: frozenset[str]) -> Schema:
    """The one schema that fits a file's columns; of nested ones, the more specific.

    Raises:
        DataError: none fits, or more than one does.
    """
    found = ", ".join(sorted(columns)) or "none"
    fitting = [schema for schema in SCHEMAS.values() if schema.fits(columns)]
    fitting = [s for s in fitting if not any(other.contains(s) for other in fitting)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(f"{s.name} ({', '.join(sorted(s.required))})" for s in fitting)
        raise DataError(
            f"columns found: {found}; they fit more than one schema: {names}; "
            "choose with --schema NAME, or name the columns with --prompt-column and the like"
        )
    near = [s for s in SCHEMAS.values() if s.required <= columns and s.unused(columns)]
    refused = ""
    if near:
        nearest = max(near, key=lambda schema: len(schema.required))
        unknown = ", ".join(nearest.unused(columns))
        refused = f" ({nearest.name} has no column {unknown}; --schema {nearest.name} ignores it)"
    known = "; ".join(f"{s.name}: {', '.join(sorted(s.required))}" for s in SCHEMAS.values())
    raise DataError(
        f"columns found: {found}; no known schema fits{refused}; name the columns with "
        f"--prompt-column, --response-column, --label-column; known schemas are {known}"
    )


def _pku(fields: Fields) -> Reading:
    # safer_response_id, never better_response_id: that one is about helpfulness.
    prompt = fields.text("prompt")
    items = tuple(
        Item(
            Exchange(prompt, fields.text(f"response_{i}")),
            fields.unsafe_flag(f"is_response_{i}_safe"),
            fields.number(f"response_{i}_severity_level"),
            fields.flags(f"response_{i}_harm_category"),
        )
        for i in (0, 1)
    )
    return Reading(items, _safer(fields, items), fields.meta)


def _safer(fields: Fields, items: Sequence[Item]) -> int | None:
    number = fields.number("safer_response_id")
    if number in (0, 1):
        return int(number)
    if number not in (None, -1):
        raise DataError("column 'safer_response_id' must be 0 or 1")
    for i in (0, 1):  # the older boolean columns; `unsafe_flag` is 0 for a true one
        flag = fields.unsafe_flag(f"is_response_{i}_safer")
        if flag is not None:
            return i if flag == 0 else 1 - i
    first, second = (item.unsafe for item in items)
    if first is None or second is None or first == second:
        return None
    return 0 if first < second else 1


def _qa(fields: Fields) -> Reading:
    return fields.single(
        Exchange(fields.text("prompt"), fields.text("response")),
        severity=fields.number("severity_level"),
        categories=fields.flags("category") or fields.flags("harm_category"),
    )


def _prompt_response(fields: Fields) -> Reading:
    return fields.single(Exchange(fields.text("prompt"), fields.text("response")))


def _context_response(fields: Fields) -> Reading:
    return fields.single(Exchange(fields.text("context"), fields.text("response")))


def _transcripts(fields: Fields) -> Reading:
    chosen, rejected = (
        fields.item(read_transcript(fields.record.get(column), column))
        for column in ("chosen", "rejected")
    )
    return Reading((chosen, rejected), 0, fields.meta)


def _preference(fields: Fields) -> Reading:
    prompt = fields.text("prompt")
    chosen, rejected = (
        fields.item(
            Exchange(prompt, fields.text(column))
            if isinstance(fields.record.get(column), str)
            else read_transcript(fields.record.get(column), column)
        )
        for column in ("chosen", "rejected")
    )
    return Reading((chosen, rejected), 0, fields.meta)


def _messages(fields: Fields) -> Reading:
    messages = fields.list("messages")
    if fields.record.get("response") is not None:
        messages.append({"role": "assistant", "content": fields.text("response")})
    return fields.single(Exchange.from_messages(messages))


def _instruction(response: str, context: str) -> Reader:
    def read(fields: Fields) -> Reading:
        given = fields.optional_text(context)
        instruction = fields.text("instruction")
        prompt = f"{instruction}\n\n{given}" if given else instruction
        return fields.single(Exchange(prompt, fields.text(response)))

    return read


def _text(column: str) -> Reader:
    """A bare text is read as a prompt: the text itself is on trial."""

    def read(fields: Fields) -> Reading:
        return fields.single(Exchange(fields.text(column)))

    return read


def _response_only(fields: Fields) -> Reading:
    return fields.single(Exchange(response=fields.text("response")))


def _prompt_categories(fields: Fields) -> Reading:
    # The flags were given to an answer that is missing, so they do not label the prompt.
    categories: dict[str, bool | None] = {str(name): True for name in fields.list("categories")}
    return fields.single(Exchange(fields.text("prompt")), categories=categories)


_MODERATION_FLAGS = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")


def _openai_moderation(fields: Fields) -> Reading:
    flags = {name: fields.number(name) for name in _MODERATION_FLAGS}
    categories = {name: None if flag is None else flag > 0 for name, flag in flags.items()}
    known = [flag for flag in flags.values() if flag is not None]
    unsafe = float(any(known)) if known else None
    item = Item(Exchange(fields.text("prompt")), unsafe, categories=categories)
    return Reading((item,), None, fields.meta)


def _pyrit(fields: Fields) -> Reading:
    """Three kinds of human score that do not mean the same."""
    exchange = Exchange(fields.text("prompt"), fields.text("response"))
    scores = fields.list("human_scores")
    if not scores or not all(isinstance(score, (int, float)) for score in scores):
        raise DataError("column 'human_scores' must be a list of numbers")
    kind, score = fields.text("kind"), fmean(scores)
    if kind == "objective":  # was the attack's objective reached, 0 or 1
        item = Item(exchange, score)
    elif kind == "harm":  # severity from 0 to 1
        item = Item(exchange, float(score >= 0.5), severity=score)
    elif kind == "refusal_scorer":  # refused or not, which is neither safe nor unsafe
        return Reading((Item(exchange),), None, {**fields.meta, "refusal": f"{score:g}"})
    else:
        raise DataError("column 'kind' must be objective, harm or refusal_scorer")
    return Reading((item,), None, fields.meta)


def _xstest_contrast(fields: Fields) -> bool:
    return fields.text("type").startswith("contrast_")


def _xstest(fields: Fields) -> Reading:
    unsafe = float(_xstest_contrast(fields))
    return Reading((Item(Exchange(fields.text("prompt")), unsafe),), None, fields.meta)


def _xstest_completion(fields: Fields) -> Reading:
    """Refusing is safe, and so is any answer to a safe prompt; complying with an unsafe one is
    unsafe; a partial refusal of an unsafe one is either, so it has no label."""
    column = "response" if "response" in fields.record else "completion"
    exchange = Exchange(fields.text("prompt"), fields.text(column))
    final = fields.text("final_label")
    on_contrast = {"1_full_compliance": 1.0, "2_full_refusal": 0.0, "3_partial_refusal": None}
    if final not in on_contrast:
        raise DataError(f"column 'final_label' must be one of {', '.join(on_contrast)}")
    unsafe = on_contrast[final] if _xstest_contrast(fields) else 0.0
    return Reading((Item(exchange, unsafe),), None, fields.meta)


def _schema(name: str, what: str, required: str, read: Reader, **options: Any) -> Schema:
    for key in ("one_of", "optional"):
        options[key] = frozenset(options.get(key, "").split())
    return Schema(name, what, frozenset(required.split()), read, **options)


def _by_name(schemas: Iterable[Schema]) -> Mapping[str, Schema]:
    return {schema.name: schema for schema in schemas}


_PKU_COLUMNS = " ".join(
    ["better_response_id is_response_1_safer prompt_sha256"]
    + [
        f"is_response_{i}_safe response_{i}_source response_{i}_severity_level "
        f"response_{i}_harm_category response_{i}_sha256"
        for i in (0, 1)
    ]
)
_QA_COLUMNS = "severity_level harm_category"
_COMMON: dict[str, Any] = {"label": "label", "labels": WORDS}

SCHEMAS = _by_name(
    [
        _schema(
            "pku_saferlhf",
            "PKU-SafeRLHF pairs, every release",
            "prompt response_0 response_1",
            _pku,
            one_of="safer_response_id is_response_0_safer is_response_0_safe",
            optional=_PKU_COLUMNS,
        ),
        _schema(
            "hh",
            "Anthropic HH transcripts or message lists; the chosen reply is the safer",
            "chosen rejected",
            _transcripts,
            strict=True,
        ),
        _schema(
            "preference",
            "prompt with a chosen (safer) and a rejected response",
            "prompt chosen rejected",
            _preference,
            strict=True,
        ),
        _schema(
            "qa",
            "question and answer, answer labelled",
            "prompt response is_safe",
            _qa,
            optional=_QA_COLUMNS,
            label="is_safe",
            labels=IS_SAFE,
        ),
        _schema(
            "beavertails",
            "question and answer with category flags",
            "prompt response is_safe category",
            _qa,
            optional=_QA_COLUMNS,
            label="is_safe",
            labels=IS_SAFE,
        ),
        _schema(
            "responses",
            "answers without their prompts (GPTFuzzer)",
            "response is_safe",
            _response_only,
            label="is_safe",
            labels=IS_SAFE,
        ),
        _schema(
            "messages",
            "chat messages, the last turn or the response on trial",
            "messages",
            _messages,
            optional="response is_safe",
            label="is_safe",
            labels=IS_SAFE,
            strict=True,
        ),
        _schema(
            "diasafety",
            "dialogue context and reply (DiaSafety)",
            "context response label",
            _context_response,
            **_COMMON,
        ),
        _schema(
            "alpaca",
            "Alpaca instructions",
            "instruction output",
            _instruction("output", "input"),
            optional="input text",
            strict=True,
        ),
        _schema(
            "dolly",
            "Dolly instructions",
            "instruction context response",
            _instruction("response", "context"),
            strict=True,
        ),
        _schema(
            "prompts",
            "prompts alone",
            "prompt",
            _text("prompt"),
            optional="is_safe",
            label="is_safe",
            labels=IS_SAFE,
            strict=True,
        ),
        _schema(
            "prompt_response",
            "prompt and response without a label",
            "prompt response",
            _prompt_response,
            strict=True,
        ),
        _schema(
            "prompt_categories",
            "prompts with the categories of a missing answer",
            "prompt categories",
            _prompt_categories,
            strict=True,
        ),
        _schema(
            "openai_moderation",
            "OpenAI moderation evaluation: any flag is unsafe, a missing one unknown",
            "prompt " + " ".join(_MODERATION_FLAGS),
            _openai_moderation,
        ),
        _schema(
            "toxicchat",
            "ToxicChat user inputs",
            "prompt moderation_flag",
            _text("prompt"),
            label="moderation_flag",
            labels=IS_UNSAFE,
        ),
        _schema(
            "toxicchat_hub",
            "ToxicChat as on the Hub",
            "user_input toxicity",
            _text("user_input"),
            optional="model_output human_annotation jailbreaking openai_moderation",
            label="toxicity",
            labels=IS_UNSAFE,
        ),
        _schema(
            "pyrit",
            "PyRIT human scores: objective reached, harm severity, refusal",
            "kind prompt response human_scores",
            _pyrit,
        ),
        _schema(
            "xstest",
            "XSTest prompts; contrast types are unsafe",
            "type prompt focus",
            _xstest,
            optional="note label",
        ),
        _schema(
            "xstest_completions",
            "XSTest answers with human compliance labels",
            "type prompt final_label",
            _xstest_completion,
            one_of="response completion",
            optional="annotation_1 annotation_2 agreement",
        ),
        _schema(
            "hatecheck",
            "HateCheck functional tests",
            "test_case label_gold",
            _text("test_case"),
            label="label_gold",
            labels=WORDS,
        ),
        _schema(
            "hatemoji",
            "HatemojiBuild texts",
            "text label_gold",
            _text("text"),
            label="label_gold",
            labels=IS_UNSAFE,
        ),
        _schema(
            "davidson",
            "hate (0), offensive (1, left out), neither (2)",
            "tweet class",
            _text("tweet"),
            label="class",
            labels={"0": 1.0, "1": None, "2": 0.0},
        ),
        _schema(
            "edos",
            "online sexism",
            "text label_sexist",
            _text("text"),
            label="label_sexist",
            labels=WORDS,
        ),
        _schema(
            "fox_comments",
            "comments under a news title",
            "title text label",
            _text("text"),
            label="label",
            labels={**WORDS, **IS_UNSAFE},
        ),
        _schema(
            "surge",
            "toxic comments",
            "text is_toxic",
            _text("text"),
            label="is_toxic",
            labels={**WORDS, **IS_UNSAFE},
        ),
        _schema(
            "labelled_text", "texts with a stated label map", "text label", _text("text"), **_COMMON
        ),
        _schema(
            "labelled_prompts",
            "prompts with a stated label map",
            "prompt label",
            _text("prompt"),
            **_COMMON,
        ),
        _schema(
            "labelled_qa",
            "question and answer with a stated label map",
            "prompt response label",
            _prompt_response,
            **_COMMON,
        ),
    ]
)


def known(name: str) -> Schema:
    """A schema by its name.

    Raises:
        DataError: there is none of that name.
    """
    if name not in SCHEMAS:
        raise DataError(f"there is no schema {name!r}; known are {', '.join(SCHEMAS)}")
    return SCHEMAS[name]
