"""Upstream schemas, one entry each: which columns tell it, and how a record becomes a row.

To add a source, add one `Schema` to `SCHEMAS`; docs/data.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError
from . import readers
from .labels import IS_SAFE, IS_UNSAFE, WORDS
from .readers import MODERATION_FLAGS, Reader
from .schema import Schema, shown


def recognise(columns: frozenset[str]) -> Schema:
    """The one schema that fits a file's columns; of nested ones, the more specific.

    Raises:
        DataError: none fits, or more than one does.
    """
    found = shown(columns)
    fitting = [schema for schema in SCHEMAS.values() if schema.fits(columns)]
    fitting = [s for s in fitting if not any(other.contains(s) for other in fitting)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(f"{schema.name} ({schema.signature})" for schema in fitting)
        raise DataError(
            f"columns found: {found}; they fit more than one schema: {names}; "
            "choose with --schema NAME, or name the columns with --prompt-column and the like"
        )
    near = [s for s in SCHEMAS.values() if s.required <= columns and s.unused(columns)]
    refused = ""
    if near:
        nearest = max(near, key=lambda schema: len(schema.required))
        unknown = shown(nearest.unused(columns))
        refused = (
            f" ({nearest.name} has no column {unknown}, perhaps the label; "
            f"--schema {nearest.name} ignores it)"
        )
    raise DataError(
        f"columns found: {found}; no known schema fits{refused}; name the columns with "
        f"--prompt-column, --response-column, --label-column; known schemas are "
        f"{', '.join(SCHEMAS)}, and docs/data.md shows the columns of each"
    )


def _schema(name: str, what: str, required: str, read: Reader, **options: Any) -> Schema:
    for key in ("one_of", "optional"):
        options[key] = frozenset(options.get(key, "").split())
    return Schema(name, what, frozenset(required.split()), read, **options)


def _by_name(schemas: Iterable[Schema]) -> Mapping[str, Schema]:
    return {schema.name: schema for schema in schemas}


_PKU_COLUMNS = " ".join(
    ["better_response_id prompt_sha256"]
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
            readers.read_pku,
            one_of="safer_response_id is_response_0_safer is_response_1_safer is_response_0_safe",
            optional=_PKU_COLUMNS,
        ),
        _schema(
            "hh",
            "Anthropic HH transcripts or message lists; the chosen reply is the safer",
            "chosen rejected",
            readers.read_transcripts,
            strict=True,
        ),
        _schema(
            "preference",
            "prompt with a chosen (safer) and a rejected response",
            "prompt chosen rejected",
            readers.read_preference,
            strict=True,
        ),
        _schema(
            "qa",
            "question and answer, answer labelled",
            "prompt response is_safe",
            readers.read_qa,
            optional=_QA_COLUMNS,
            label="is_safe",
            labels=IS_SAFE,
        ),
        _schema(
            "beavertails",
            "question and answer with category flags",
            "prompt response is_safe category",
            readers.read_qa,
            optional=_QA_COLUMNS,
            label="is_safe",
            labels=IS_SAFE,
        ),
        _schema(
            "responses",
            "answers without their prompts (GPTFuzzer)",
            "response is_safe",
            readers.read_response,
            label="is_safe",
            labels=IS_SAFE,
            strict=True,
        ),
        _schema(
            "messages",
            "chat messages, the last turn or the response on trial",
            "messages",
            readers.read_messages,
            optional="response is_safe",
            label="is_safe",
            labels=IS_SAFE,
            strict=True,
        ),
        _schema(
            "diasafety",
            "dialogue context and reply (DiaSafety)",
            "context response label",
            readers.read_context_response,
            **_COMMON,
        ),
        _schema(
            "alpaca",
            "Alpaca instructions",
            "instruction output",
            readers.read_instruction("output", "input"),
            optional="input text",
            strict=True,
        ),
        _schema(
            "dolly",
            "Dolly instructions",
            "instruction context response",
            readers.read_instruction("response", "context"),
            strict=True,
        ),
        _schema(
            "prompts",
            "prompts alone",
            "prompt",
            readers.read_text("prompt"),
            optional="is_safe",
            label="is_safe",
            labels=IS_SAFE,
            strict=True,
        ),
        _schema(
            "texts",
            "texts alone, read as prompts",
            "text",
            readers.read_text("text"),
            optional="is_safe",
            label="is_safe",
            labels=IS_SAFE,
            strict=True,
            bare=True,
        ),
        _schema(
            "prompt_response",
            "prompt and response without a label",
            "prompt response",
            readers.read_prompt_response,
            strict=True,
        ),
        _schema(
            "prompt_categories",
            "prompts with the categories of a missing answer",
            "prompt categories",
            readers.read_prompt_categories,
            strict=True,
        ),
        _schema(
            "openai_moderation",
            "OpenAI moderation evaluation: any flag is unsafe, a missing one unknown",
            "prompt " + " ".join(MODERATION_FLAGS),
            readers.read_openai_moderation,
        ),
        _schema(
            "toxicchat",
            "ToxicChat user inputs",
            "prompt moderation_flag",
            readers.read_text("prompt"),
            label="moderation_flag",
            labels=IS_UNSAFE,
        ),
        _schema(
            "toxicchat_hub",
            "ToxicChat as on the Hub",
            "user_input toxicity",
            readers.read_text("user_input"),
            optional="model_output human_annotation jailbreaking openai_moderation",
            label="toxicity",
            labels=IS_UNSAFE,
        ),
        _schema(
            "pyrit",
            "PyRIT human scores: objective reached, harm severity, refusal",
            "kind prompt response human_scores",
            readers.read_pyrit,
        ),
        _schema(
            "xstest",
            "XSTest prompts; contrast types are unsafe",
            "type prompt focus",
            readers.read_xstest,
            optional="note label",
        ),
        _schema(
            "xstest_completions",
            "XSTest answers with human compliance labels",
            "type prompt final_label",
            readers.read_xstest_completion,
            one_of="response completion",
            optional="annotation_1 annotation_2 agreement",
        ),
        _schema(
            "hatecheck",
            "HateCheck functional tests",
            "test_case label_gold",
            readers.read_text("test_case"),
            label="label_gold",
            labels=WORDS,
        ),
        _schema(
            "hatemoji",
            "HatemojiBuild texts",
            "text label_gold",
            readers.read_text("text"),
            label="label_gold",
            labels=IS_UNSAFE,
        ),
        _schema(
            "davidson",
            "hate (0), offensive (1, left out), neither (2)",
            "tweet class",
            readers.read_text("tweet"),
            label="class",
            labels={"0": 1.0, "1": None, "2": 0.0},
        ),
        _schema(
            "edos",
            "online sexism",
            "text label_sexist",
            readers.read_text("text"),
            label="label_sexist",
            labels=WORDS,
        ),
        _schema(
            "fox_comments",
            "comments under a news title",
            "title text label",
            readers.read_text("text"),
            label="label",
            labels={**WORDS, **IS_UNSAFE},
        ),
        _schema(
            "surge",
            "toxic comments",
            "text is_toxic",
            readers.read_text("text"),
            label="is_toxic",
            labels={**WORDS, **IS_UNSAFE},
        ),
        _schema(
            "labelled_text",
            "texts with a stated label map",
            "text label",
            readers.read_text("text"),
            **_COMMON,
        ),
        _schema(
            "labelled_prompts",
            "prompts with a stated label map",
            "prompt label",
            readers.read_text("prompt"),
            strict=True,
            **_COMMON,
        ),
        _schema(
            "labelled_qa",
            "question and answer with a stated label map",
            "prompt response label",
            readers.read_prompt_response,
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
