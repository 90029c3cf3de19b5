"""The reference names every schema and every kind of fault."""

from __future__ import annotations

from pathlib import Path

from harmgauge.data.check import KINDS
from harmgauge.data.schemas import SCHEMAS

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_schemas_and_kinds_are_in_the_reference() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, schema in SCHEMAS.items():
        assert f"| `{name}` | {schema.what} |" in text
        assert all(f"`{column}`" in text for column in schema.required | schema.one_of)
    for kind, what in KINDS.items():
        assert f"| `{kind}` | {what} |" in text
