"""Where gauges are found: embedded here, or in another installed wheel, by name.

Another wheel brings a gauge with an entry point in the group `harmgauge.gauges` whose value is a
package; the package's folder is the bundle. Nothing of it is imported.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path

from ..bundle import left_by_a_kill
from ..errors import BundleError

DEFAULT = "mini"
GROUP = "harmgauge.gauges"
WHEELS = ("midi", "mini-research")
"""gauges of this project that are wheels of their own"""

_HERE = Path(__file__).parent


def installed() -> dict[str, Path]:
    """Every gauge that can be loaded by name, and the folder of its bundle."""
    found = {manifest.parent.name: manifest.parent for manifest in _HERE.glob("*/gauge.json")}
    for entry in entry_points(group=GROUP):
        spec = importlib.util.find_spec(entry.module)
        if spec is not None and spec.submodule_search_locations:
            found.setdefault(entry.name, Path(next(iter(spec.submodule_search_locations))))
    return dict(sorted(found.items()))


def find(name_or_folder: str | Path | None = None) -> Path:
    """The folder of a bundle; a name goes before a folder, None is the default gauge.

    Raises:
        BundleError: nothing of that name is installed, and it is no folder.
    """
    name = DEFAULT if name_or_folder is None else name_or_folder
    if name == DEFAULT and (_HERE / DEFAULT / "gauge.json").is_file():
        return _HERE / DEFAULT  # without the search through all installed packages
    names = installed()
    if isinstance(name, str) and name in names:
        return names[name]
    if name_or_folder is not None and Path(name).is_dir():
        return Path(name)
    if left := left_by_a_kill(Path(name)):
        raise BundleError(
            f"there is no gauge {str(name)!r}: a kill left it in {left}, move that folder there"
        )
    if name in WHEELS:
        raise BundleError(
            f"the gauge {name!r} is a wheel of its own, which is not installed: in a clone of "
            f"harmgauge, pip install ./gauges/{name}"
        )
    if Path(name).is_file():
        raise BundleError(f"{name} is a file; give the folder of a bundle, which holds gauge.json")
    raise BundleError(
        f"there is no gauge {str(name)!r}: give the folder of a bundle, or the name of an "
        f"installed gauge ({', '.join(names) or 'none is installed'})"
    )
