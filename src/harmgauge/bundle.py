"""A gauge on disk: a folder with `gauge.json`, which vouches for every other file in it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from . import __version__
from .calibration import Calibration
from .error_curve import ErrorCurve
from .errors import BundleError
from .exchange import KINDS, MARKERS, TEMPLATE_ID, Kind
from .files import whole_folder
from .members import is_member, members_at
from .scales import Scales
from .tested import Reached, Tested
from .thresholds import Threshold
from .verdict import DIRECTION
from .windows import Layout

MANIFEST = "gauge.json"
CARD = "README.md"
FORMAT_VERSION = 1

# What a runtime opens first, and kinds of files that it may open besides.
_WEIGHTS = {"onnx": ("model.onnx",), "torch": ("config.json", "head.safetensors")}
_LOADABLE = {".json", ".safetensors", ".bin", ".onnx", ".data", ".npz"}

# Keys of a manifest, a layout, a calibration and a threshold that came later. They are written only
# where they say something, so that an older gauge is read as it is and keeps its id.
_OPTIONAL = {
    *("teachers", "categories", "calibration_by_kind", "curves", "tested"),
    *("knots", "sha256", "licences", "cost_by_kind", "kinds"),
    *("turns", "segments", "head"),
}

KEPT = "kept"
"""what `Manifest.base` says of costs that are the base's own"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `gauge.json` says, key for key."""

    name: str
    base: Mapping[str, str | None]
    """`name` and `sha256` of the backbone that training started from; `costs` is `KEPT` where that
    is a gauge whose costs these are, so that training brought categories alone"""
    layout: Layout
    pooling: str
    """mean, last or first"""
    runtime: str
    """onnx or torch"""
    calibration: Calibration
    """of all kinds of input together"""
    licence: str
    """SPDX expression of the weights' licence"""
    data: tuple[Mapping[str, Any], ...] = ()
    """training sources: `source`, `licence`, `rows`"""
    teachers: tuple[Mapping[str, Any], ...] = ()
    """gauges whose costs were targets: `gauge`, `licence`, `base`, and their `data`"""
    outputs: tuple[str, ...] = ("cost",)
    """what each output of the head means: the cost comes first, then categories, then members"""
    head: Mapping[str, Any] = field(default_factory=dict)
    """of a classifier that was trained elsewhere: how its labels become a raw score, as
    `training.heads.Head`; of all others nothing, and the head is linear"""
    categories: Mapping[str, Calibration] = field(default_factory=dict)
    """of each output that is a category: raw score to log-odds of the category"""
    calibration_by_kind: Mapping[str, Calibration] = field(default_factory=dict)
    """of each kind of input (`exchange.Kind`) that has a scale of its own"""
    thresholds: tuple[Threshold, ...] = ()
    curves: Mapping[Kind, ErrorCurve] = field(default_factory=dict)
    """of each kind of input that validation data says enough of: what a threshold costs there"""
    metrics: tuple[Mapping[str, Any], ...] = ()
    """measurements: `data`, `n` and figures by name"""
    tested: tuple[Tested, ...] = ()
    """what it reached on test sets, measured afterwards"""
    files: Mapping[str, str] = field(default_factory=dict)
    """sha256 of every other file of the bundle, filled in by `write_bundle`"""
    template: str = TEMPLATE_ID
    direction: str = DIRECTION
    format_version: int = FORMAT_VERSION
    code_version: str = __version__

    @property
    def id(self) -> str:
        """Name and the first 8 hex digits of `sha256`, such as `mini@0a1b2c3d`."""
        return f"{self.name}@{self.sha256[:8]}"

    @property
    def sha256(self) -> str:
        """Of the manifest, which has that of every other file.

        Curves, tests and the card do not count: they change no cost and no verdict.
        """
        files = {name: digest for name, digest in self.files.items() if name != CARD}
        text = replace(self, curves={}, tested=(), files=files).to_json()
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def rows_in_words(self) -> str:
        """How much it was trained on."""
        rows = sum(source.get("rows") or 0 for source in self.data)
        sources = "1 source" if len(self.data) == 1 else f"{len(self.data)} sources"
        return f"{rows} rows of {sources}" if self.data else "unknown data"

    @property
    def category_names(self) -> tuple[str, ...]:
        """The outputs that are categories, which stand next to the cost."""
        return tuple(name for name in self.outputs[1:] if not is_member(name))

    @property
    def members(self) -> int:
        """How many members the ensemble has; 0 where there is none."""
        return len(members_at(self.outputs))

    @property
    def scales(self) -> Scales:
        """From raw scores to costs, by kind of input."""
        return Scales(self.calibration, self.calibration_by_kind)

    def with_scales(self, scales: Scales) -> Manifest:
        """The same with other scales; `recalibration.rescale` takes thresholds along."""
        return replace(self, calibration=scales.common, calibration_by_kind=scales.by_kind)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """What `gauge.json` holds."""
        values = asdict(self)
        scales = (
            values["calibration"],
            *values["calibration_by_kind"].values(),
            *values["categories"].values(),
        )
        for entry in (values, values["layout"], *scales, *values["thresholds"]):
            for key in _OPTIONAL & entry.keys():
                if not entry[key]:
                    del entry[key]
        return values

    @classmethod
    def from_json(cls, text: str, where: str = MANIFEST) -> Manifest:
        """Read a manifest; `where` names it in errors.

        Raises:
            BundleError: it is not JSON, of an unknown format version, or has unknown, missing or
                misshapen keys.
        """
        try:
            # What is not a number is not known; as a cost it would never count as unsafe.
            values = json.loads(text, parse_constant=lambda constant: None)
        except (ValueError, RecursionError):
            raise BundleError(f"{where} is not valid JSON; copy or download it again") from None
        if not isinstance(values, dict):
            raise BundleError(f"{where} does not hold a JSON object")
        # First of all: of another version, every other key may mean something else.
        version, name = values.get("format_version"), values.get("name", "the gauge")
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{where}: {name} has format version {version}, this harmgauge reads "
                f"{FORMAT_VERSION}; install the release that wrote it"
            )
        values = _known(cls, values, where)
        values["layout"] = _layout(values["layout"], f"{where}, layout")
        values["calibration"] = _calibration(values["calibration"], f"{where}, calibration")
        for key in ("categories", "calibration_by_kind"):
            values[key] = {
                name: _calibration(scale, f"{where}, {key}, {name}")
                for name, scale in values.get(key, {}).items()
            }
        _check_kinds(values["calibration_by_kind"], f"{where}, calibration_by_kind")
        values["thresholds"] = tuple(
            _threshold(entry, f"{where}, thresholds") for entry in values["thresholds"]
        )
        curves = values.get("curves", {})
        _check_kinds(curves, f"{where}, curves")
        values["curves"] = {
            kind: _curve(curve, f"{where}, curves, {kind}") for kind, curve in curves.items()
        }
        values["tested"] = tuple(
            _tested(each, f"{where}, tested") for each in values.get("tested", ())
        )
        for key in ("data", "teachers", "outputs", "metrics"):
            values[key] = tuple(values.get(key, ()))
        manifest = cls(**values)
        if manifest.outputs[:1] != ("cost",):
            raise BundleError(f"{where}: the first of the outputs must be the cost")
        if manifest.categories.keys() != set(manifest.category_names):
            raise BundleError(
                f"{where}: categories must hold the scales of all outputs but the cost and members"
            )
        if any(map(is_member, manifest.outputs[: len(manifest.outputs) - manifest.members])):
            raise BundleError(f"{where}: members must be the last of the outputs")
        return manifest


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, Path]) -> Manifest:
    """Write a bundle, whole or not at all; an older bundle in `folder` is replaced.

    Args:
        folder: where the bundle goes.
        manifest: what to say about it; `manifest.files` is filled in here.
        files: name inside the bundle to the file that is copied there.

    Returns:
        The manifest as written.

    Raises:
        BundleError: `folder` holds something other than a bundle, or a file is missing.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise BundleError(f"{folder} is not empty and holds no bundle; name another folder")
    with whole_folder(folder) as new:
        for name, source in files.items():
            if not source.is_file():
                raise BundleError(f"cannot put {name} into {folder}: there is no {source}")
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, new / name)
        manifest = replace(manifest, files={name: sha256(new / name) for name in sorted(files)})
        (new / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def left_by_a_kill(folder: Path) -> Path | None:
    """Where the bundle is that was about to take the place of an older one in `folder`."""
    folder = folder.resolve()
    left = sorted(folder.parent.glob(f".{folder.name}.*/new/{MANIFEST}"))
    return None if folder.exists() or not left else left[-1].parent


def read_bundle(folder: Path) -> Manifest:
    """Read and verify a bundle.

    Raises:
        BundleError: `folder` is no bundle, its format version or template is unknown, or a file
            is missing, foreign or not the one that was written.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}")
    manifest = Manifest.from_json(path.read_text(encoding="utf-8", errors="replace"), str(path))
    if manifest.direction != DIRECTION:
        raise BundleError(f"{path} has direction {manifest.direction!r}; it must be {DIRECTION!r}")
    if manifest.template != TEMPLATE_ID:
        raise BundleError(
            f"{path}: {manifest.name} was trained with template {manifest.template!r}, this "
            f"harmgauge writes {TEMPLATE_ID!r}; install the release that wrote it"
        )
    for name in ("tokenizer.json", *_WEIGHTS.get(manifest.runtime, ())):
        if name not in manifest.files:
            raise BundleError(f"{path} does not vouch for {name}; write the bundle again")
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.suffix in _LOADABLE and name not in (MANIFEST, *manifest.files):
            raise BundleError(
                f"{folder} holds {name}, which {MANIFEST} does not vouch for; remove it"
            )
    for name, expected in manifest.files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BundleError(f"{path} names {name}, which lies outside the bundle")
        if not (folder / name).is_file():
            raise BundleError(f"{folder} lacks {name}; copy or download the bundle again")
        if sha256(folder / name) != expected:
            raise BundleError(
                f"{folder / name} is not the file that {MANIFEST} vouches for (its sha256 "
                "differs); copy or download the bundle again"
            )
    return manifest


def sha256(path: Path) -> str:
    """Hex digest of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _layout(values: Any, where: str) -> Layout:
    stored = _known(Layout, values, where)
    turns = stored.get("turns", {})
    if turns and not (
        turns.keys() == MARKERS.keys()
        and all(isinstance(each, list) and len(each) == 2 for each in turns.values())
        and all(_fits(side, tuple[int, ...]) for each in turns.values() for side in each)
    ):
        raise BundleError(f"{where} has a value of the wrong kind: turns")
    return Layout.from_dict(stored)


def _calibration(values: Any, where: str) -> Calibration:
    fitted = _known(Calibration, values, where)
    fitted["knots"] = tuple(tuple(knot) for knot in fitted.get("knots", ()))
    calibration = Calibration(**fitted)
    if not (calibration.rises and 0 < calibration.prior < 1):
        raise BundleError(
            f"{where} needs a temperature above 0, rising knots if any and a prior between 0 and "
            "1; copy or download the bundle again"
        )
    return calibration


def _threshold(values: Any, where: str) -> Threshold:
    stored = _known(Threshold, values, where)
    for key in ("sha256", "licences", "kinds"):
        stored[key] = tuple(stored.get(key, ()))
    _check_kinds(stored["kinds"], f"{where}, kinds")
    _check_kinds(costs := stored.get("cost_by_kind", {}), f"{where}, cost_by_kind")
    if not all(_fits(cost, float) for cost in costs.values()):
        raise BundleError(f"{where} has a value of the wrong kind: cost_by_kind")
    return Threshold(**stored)


def _curve(values: Any, where: str) -> ErrorCurve:
    stored = _known(ErrorCurve, values, where)
    for key in ("cost", "false_alarms", "misses"):
        stored[key] = tuple(stored[key])
    curve = ErrorCurve(**stored)
    if not curve.rises:
        raise BundleError(f"{where} needs rising costs, and as many false_alarms and misses")
    return curve


def _tested(values: Any, where: str) -> Tested:
    stored = _known(Tested, values, where)
    inside = f"{where}, {stored['data']}"
    figures = {
        name: Reached(**_known(Reached, each, f"{inside}, {name}"))
        for name, each in stored["figures"].items()
    }
    return Tested(**{**stored, "figures": figures})


def _check_kinds(names: Iterable[str], where: str) -> None:
    if unknown := sorted(set(names) - set(KINDS)):
        raise BundleError(f"{where} has an unknown kind of input: {', '.join(unknown)}")


def _known(kind: Any, values: Any, where: str) -> dict[str, Any]:
    """A copy of `values`, if its keys are the fields of `kind` (those of `_OPTIONAL` may be left
    out), and its values such as JSON has for them."""
    if not isinstance(values, dict):
        raise BundleError(f"{where} must be an object, found {type(values).__name__}")
    expected = {entry.name for entry in fields(kind)}
    if unknown := sorted(values.keys() - expected):
        raise BundleError(f"{where} has an unknown key: {', '.join(unknown)}")
    if missing := sorted(expected - values.keys() - _OPTIONAL):
        raise BundleError(f"{where} lacks a key: {', '.join(missing)}")
    hints = get_type_hints(kind)
    if misshapen := sorted(key for key, value in values.items() if not _fits(value, hints[key])):
        raise BundleError(f"{where} has a value of the wrong kind: {', '.join(misshapen)}")
    return dict(values)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value can stand for a field of that type; objects are looked into later."""
    if get_origin(hint) is tuple:
        inner, *rest = get_args(hint)
        return (
            isinstance(value, list)
            and (rest == [...] or len(value) == 1 + len(rest))
            and all(_fits(each, inner) for each in value)
        )
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if hint is NoneType:
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    kind: Any = {str: str, int: int, float: (int, float)}.get(hint, dict)
    return isinstance(value, kind) and not isinstance(value, bool)
