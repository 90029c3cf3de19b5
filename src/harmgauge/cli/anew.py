"""What verbs share that write a gauge anew, with the same weights: where it may go, and how."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..bundle import Manifest


def check_place(folder: Path, manifest: Manifest, output: Path) -> None:
    """Refuse a folder that must not be written, before minutes are spent on scores.

    Raises:
        BundleError: it is not the gauge's own and not empty, or belongs to an installed package.
    """
    from .. import gauges
    from ..bundle import CARD, MANIFEST
    from ..errors import BundleError

    target = output.resolve()
    packages = [Path(gauges.__file__).resolve().parents[1], *gauges.installed().values()]
    if any(target.is_relative_to(package.resolve()) for package in packages):
        raise BundleError(
            f"{output} belongs to an installed package, which is not changed; give --output "
            "another folder"
        )
    if target == folder.resolve():
        known = {folder / name for name in (*manifest.files, MANIFEST, CARD)}
        if other := sorted(
            path.name for path in folder.rglob("*") if path.is_file() and path not in known
        ):
            raise BundleError(
                f"{output} also holds {', '.join(other[:3])}, which would be lost; give --output "
                "another folder"
            )
    elif output.exists() and any(output.iterdir()):
        raise BundleError(
            f"{output} is not empty; name a new folder, or, to change a bundle that is there, "
            f"give {output} as the gauge, too"
        )
    parent = next(each for each in target.parents if each.exists())
    if not os.access(parent, os.W_OK):
        raise BundleError(f"{output} cannot be written; give --output another folder")


def write_anew(folder: Path, manifest: Manifest, output: Path) -> Manifest:
    """The bundle of `folder` with another manifest, and the card that tells of it."""
    from ..bundle import CARD, write_bundle
    from ..training.card import model_card

    with tempfile.TemporaryDirectory() as scratch:
        card = Path(scratch) / CARD
        card.write_text(model_card(manifest), encoding="utf-8")
        files = {name: folder / name for name in manifest.files} | {CARD: card}
        return write_bundle(output.resolve(), manifest, files)
