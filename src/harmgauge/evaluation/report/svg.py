"""Finish matplotlib's SVG: for inside a page, or as a file of its own."""

from __future__ import annotations

import re

from .pictures import INK

_PAPER = '<rect width="100%" height="100%" fill="#ffffff"/>'


def inline(svg: str) -> str:
    """An `<svg>` to lie in a page: coloured like its text, without ids that nothing refers to."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style[^>]*>.*?</style>", "", body, flags=re.S)
    body = (
        re.sub(r'\s(?:xmlns(?::\w+)?|version|width|height)="[^"]*"', "", body[: body.index(">")])
        + (body[body.index(">") :])
    )
    body = body.replace("xlink:href", "href").replace(INK, "currentColor")
    used = set(re.findall(r"#([\w.-]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    return re.sub(r">\s+<", "><", body)


def standalone(svg: str) -> str:
    """An SVG file that reads well on any ground: dark on white."""
    start = svg.index(">", svg.index("<svg")) + 1
    return f"{svg[:start]}\n{_PAPER}{svg[start:]}".replace(INK, "#222222")
