"""Put a report of `harmgauge evaluate --report FOLDER` among the docs: its Markdown and pictures.

    python scripts/publish_report.py FOLDER docs/report.md

The pictures go into a folder beside the page, called like it.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from harmgauge.files import whole_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with report.md and pictures/")
    parser.add_argument("page", type=Path, help="such as docs/report.md")
    options = parser.parse_args()
    text = (options.folder / "report.md").read_text(encoding="utf-8")
    pictures = options.page.with_suffix("")
    with whole_folder(pictures) as new:
        shutil.copytree(options.folder / "pictures", new, dirs_exist_ok=True)
    text = text.replace("](pictures/", f"]({pictures.name}/")
    options.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
