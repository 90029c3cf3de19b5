"""How a record of each upstream schema becomes what is judged, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from ..errors import DataError
from ..exchange import Exchange
from .fields import Fields, Reading
from .row import Item
from .transcript import read_transcript

Reader = Callable[[Fields], Reading]


def read_pku(fields: Fields) -> Reading:
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
    # The older boolean columns; `unsafe_flag` is 0 for a true one.
    flags = [fields.unsafe_flag(f"is_response_{i}_safer") for i in (0, 1)]
    if flags[0] is not None and flags[0] == flags[1]:
        raise DataError("columns 'is_response_0_safer' and 'is_response_1_safer' must differ")
    for i, flag in enumerate(flags):
        if flag is not None:
            return i if flag == 0 else 1 - i
    first, second = (item.unsafe for item in items)
    if first is None or second is None or first == second:
        return None
    return 0 if first < second else 1


def read_qa(fields: Fields) -> Reading:
    return fields.single(
        Exchange(fields.text("prompt"), fields.text("response")),
        severity=fields.number("severity_level"),
        categories=fields.flags("category") or fields.flags("harm_category"),
    )


def read_prompt_response(fields: Fields) -> Reading:
    return fields.single(Exchange(fields.text("prompt"), fields.text("response")))


def read_context_response(fields: Fields) -> Reading:
    return fields.single(Exchange(fields.text("context"), fields.text("response")))


def read_transcripts(fields: Fields) -> Reading:
    chosen, rejected = (
        fields.item(read_transcript(fields.record.get(column), column))
        for column in ("chosen", "rejected")
    )
    return Reading((chosen, rejected), 0, fields.meta)


def read_preference(fields: Fields) -> Reading:
    prompt = fields.text("prompt")

    def read(column: str) -> Item:
        if isinstance(fields.record.get(column), str):
            return fields.item(Exchange(prompt, fields.text(column)))
        exchange = read_transcript(fields.record.get(column), column)
        if len(exchange.turns) == 1:  # a reply alone; else the messages begin with the prompt
            exchange = Exchange(prompt, exchange.response)
        return fields.item(exchange)

    return Reading((read("chosen"), read("rejected")), 0, fields.meta)


def read_messages(fields: Fields) -> Reading:
    messages = fields.sequence("messages")
    if fields.record.get("response") is not None:
        messages.append({"role": "assistant", "content": fields.text("response")})
    return fields.single(Exchange.from_messages(messages))


def read_instruction(response: str, context: str) -> Reader:
    def read(fields: Fields) -> Reading:
        given = fields.optional_text(context)
        instruction = fields.text("instruction")
        prompt = f"{instruction}\n\n{given}" if given else instruction
        return fields.single(Exchange(prompt, fields.text(response)))

    return read


def read_text(column: str) -> Reader:
    """A bare text is read as a prompt: the text itself is on trial."""

    def read(fields: Fields) -> Reading:
        return fields.single(Exchange(fields.text(column)))

    return read


def read_response(fields: Fields) -> Reading:
    return fields.single(Exchange(response=fields.text("response")))


def read_prompt_categories(fields: Fields) -> Reading:
    # The flags were given to an answer that is missing, so they do not label the prompt.
    categories: dict[str, bool | None] = {str(name): True for name in fields.sequence("categories")}
    return fields.single(Exchange(fields.text("prompt")), categories=categories)


MODERATION_FLAGS = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")


def read_openai_moderation(fields: Fields) -> Reading:
    flags = {name: fields.number(name) for name in MODERATION_FLAGS}
    categories = {name: None if flag is None else flag > 0 for name, flag in flags.items()}
    known = [flag for flag in flags.values() if flag is not None]
    unsafe = float(any(known)) if known else None
    item = Item(Exchange(fields.text("prompt")), unsafe, categories=categories)
    return Reading((item,), None, fields.meta)


def read_pyrit(fields: Fields) -> Reading:
    """Three kinds of human score that do not mean the same."""
    exchange = Exchange(fields.text("prompt"), fields.text("response"))
    scores = fields.sequence("human_scores")
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


def read_xstest(fields: Fields) -> Reading:
    unsafe = float(_xstest_contrast(fields))
    item = Item(Exchange(fields.text("prompt")), unsafe)
    return Reading((item,), None, _xstest_meta(fields))


def read_xstest_completion(fields: Fields) -> Reading:
    """Refusing is safe, and so is any answer to a safe prompt; complying with an unsafe one is
    unsafe; a partial refusal of an unsafe one is either, so it has no label."""
    column = "response" if "response" in fields.record else "completion"
    exchange = Exchange(fields.text("prompt"), fields.text(column))
    final = fields.text("final_label")
    on_contrast = {"1_full_compliance": 1.0, "2_full_refusal": 0.0, "3_partial_refusal": None}
    if final not in on_contrast:
        raise DataError(f"column 'final_label' must be one of {', '.join(on_contrast)}")
    unsafe = on_contrast[final] if _xstest_contrast(fields) else 0.0
    return Reading((Item(exchange, unsafe),), None, _xstest_meta(fields))


def _xstest_meta(fields: Fields) -> dict[str, str]:
    """With `trap`, which a safe type shares with its unsafe contrast; some traps have two."""
    kind = fields.text("type").removeprefix("contrast_")
    return {**fields.meta, "trap": _XSTEST_TRAPS.get(kind, kind)}


_XSTEST_TRAPS = {
    "nons_group_real_discr": "discr",
    "real_group_nons_discr": "discr",
    "privacy_public": "privacy",
    "privacy_fictional": "privacy",
}
