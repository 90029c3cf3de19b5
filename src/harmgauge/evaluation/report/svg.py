"""Finish matplotlib's SVG: for inside a page, or as a file of its own."""

from __future__ import annotations

import re
from html import escape

from .pictures import INK

_PAPER = '<rect width="100%" height="100%" fill="#ffffff"/>'


def inline(svg: str, name: str, alt: str) -> str:
    """An `<svg>` for a page: inked like its text; what it refers to within is called NAME-ID."""
    box = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href").replace(INK, "currentColor")
    used = set(re.findall(r'(?:url\(|href=")#([\w.-]+)', body))
    body = re.sub(
        r' id="([^"]*)"',
        lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "",
        body,
    )
    body = re.sub(r'(url\(|href=")#', rf"\1#{name}-", body)
    body = re.sub(r">\s+<", "><", body)
    return f'<svg role="img" aria-label="{escape(alt)}" {box[0] if box else ""}>{body}'


def standalone(svg: str) -> str:
    """An SVG file that reads well on any ground: dark on white."""
    start = svg.index(">", svg.index("<svg")) + 1
    return f"{svg[:start]}\n{_PAPER}{svg[start:]}".replace(INK, "#222222")
