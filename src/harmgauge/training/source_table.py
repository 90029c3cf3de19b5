"""A table of what became of the rows of each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from ..data.schema import shown
from .examples import LoadedSource, SourceReport


def source_table(parts: Mapping[str, Sequence[LoadedSource]]) -> list[str]:
    """Lines of a table for each part that has sources: train, valid and the like."""
    columns = [entry.name for entry in fields(SourceReport) if entry.name != "licence"]
    lines = []
    for title, loaded in parts.items():
        if not loaded:
            continue
        rows = [[str(asdict(each.report)[c]) for c in columns] for each in loaded]
        header = [title, *(c.replace("_", " ") for c in columns[1:])]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(cells))
        lines += [
            f"{each.report.source}: columns not used: {shown(each.unused)}"
            for each in loaded
            if each.unused
        ]
    return lines
