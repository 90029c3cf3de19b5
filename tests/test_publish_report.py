import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "publish_report.py"


def test_a_report_becomes_a_page_with_its_pictures_beside_it(tmp_path):
    report, page = tmp_path / "report", tmp_path / "docs" / "seed.md"
    (report / "pictures").mkdir(parents=True)
    (report / "pictures" / "roc.svg").write_text("<svg/>")
    (report / "report.md").write_text("# Found\n\n![curve](pictures/roc.svg)\n")
    (page.parent / "seed").mkdir(parents=True)
    (page.parent / "seed" / "old.svg").write_text("<svg/>")
    subprocess.run([sys.executable, SCRIPT, report, page], check=True)
    assert page.read_text() == "# Found\n\n![curve](seed/roc.svg)\n"
    assert [each.name for each in (page.parent / "seed").iterdir()] == ["roc.svg"]
