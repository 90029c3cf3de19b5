"""A check's report as text; row ids stand for the rows, never their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .check import KINDS, FileReport, Report


def format_report(report: Report, examples: int = 3) -> str:
    """A block a file, then what is between the files; `examples` row ids a kind."""
    blocks = [_format_file(file, report, examples) for file in report.files]
    lines = ["between the files", *_format_between(report), report.measure]
    return "\n\n".join([*blocks, *_format_totals(report), "\n".join(lines)])


def _format_totals(report: Report) -> Iterable[str]:
    """What all files add up to, and where most of each kind is."""
    if len(report.files) < 2:
        return
    lines = [f"all {len(report.files)} files: {sum(file.stats.rows for file in report.files)} rows"]
    counts = {"rows that could not be read": [file.stats.bad for file in report.files]} | {
        what: [finding.count if (finding := file.findings[kind]) else 0 for file in report.files]
        for kind, what in KINDS.items()
        if kind != "long_rows" or report.max_tokens is not None
    }
    for what, found in counts.items():
        most = max(range(len(found)), key=found.__getitem__)
        where = f"most in {report.files[most].stats.file}" if found[most] else ""
        lines.append(_line(what, sum(found), [where] if where else [], 1))
    yield "\n".join(lines)


def _format_file(file: FileReport, report: Report, examples: int) -> str:
    facts, size = file.stats, file.stats.lengths
    lines = [f"{facts.file}: {facts.rows} rows ({facts.pairs} pairs), schema {facts.schema}"]
    lines.append(_line("rows that could not be read", facts.bad, list(file.bad_rows), examples))
    for error, count in Counter(file.bad_rows.values()).most_common(examples):
        lines.append(f"      {count} × {error}")
    if facts.left_out:
        lines.append(_line("rows left out by their label", facts.left_out, [], examples))
    if file.unused_columns:
        lines.append(f"  columns not used: {', '.join(file.unused_columns)}")
    for kind, finding in file.findings.items():
        if finding is None:
            lines.append(f"  {'-':>6}  {KINDS[kind]} (how long is a window? --max-tokens)")
        else:
            lines.append(_line(KINDS[kind], finding.count, finding.rows, examples))
    balance = ", ".join(f"{name} {count}" for name, count in facts.labels.items())
    lines.append(f"  items: {balance}")
    if facts.pairs:
        strata = ", ".join(f"{name} {count}" for name, count in facts.strata.items())
        lines.append(f"  pairs: {strata}")
    limit = "" if report.max_tokens is None else f"; a window holds {report.max_tokens}"
    lines.append(
        f"  {report.unit}: median {size.median}, p90 {size.p90}, p99 {size.p99}, "
        f"max {size.longest}{limit}"
    )
    return "\n".join(lines)


def _line(what: str, count: int, rows: list[str], examples: int) -> str:
    shown = ", ".join(rows[:examples]) + (", …" if len(rows) > examples else "")
    return f"  {count:>6}  {what}" + (f" ({shown})" if shown else "")


def _format_between(report: Report) -> Iterable[str]:
    for source, label in report.one_class.items():
        yield f"  source {source} has {label} items only"
    for found in report.shared:
        yield (
            f"  in both {found.files[0]} and {found.files[1]}: prompts {found.prompts} (rows "
            f"{found.rows[0]} and {found.rows[1]}), exchanges {found.items}, of these with "
            f"contradictory labels {found.contradictory}"
        )
    if not report.one_class:
        yield "  no source has one class only"
    if not report.shared:
        yield "  no prompt is in two files"
