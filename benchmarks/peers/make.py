"""Make a virtual environment for each peer, and say which could not be made.

    python benchmarks/peers/make.py [FOLDER]

FOLDER (default: harmgauge's cache) is linked as `venvs` beside this file, where the descriptions
look for it. Environments that are there already are kept.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from harmgauge.files import cache_root

HERE = Path(__file__).resolve().parent
PEERS = {
    "alt-profanity-check": "1.9.1",
    "forcefield": "0.8.0",
    "hatesonar": "0.1.0",
    "safetype": "1.14.0",
    "vaderSentiment": "3.3.2",
}
BESIDES = {"forcefield": ["onnxruntime>=1.17"]}  # without its other, heavy extras


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else cache_root() / "peers").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    link = HERE / "venvs"
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        link.symlink_to(folder, target_is_directory=True)
    steps = {f"{name} {version}": (install, name, version) for name, version in PEERS.items()}
    steps["locale en_US.UTF-8"] = (make_locale,)
    failed = 0
    for shown, (step, *arguments) in steps.items():
        error = step(folder, *arguments)
        print(f"{shown}: {error or 'ready'}", flush=True)
        failed += error is not None
    return min(failed, 1)


def install(folder: Path, name: str, version: str) -> str | None:
    """Install a peer into an environment of its own; why it failed, or None."""
    python = folder / name / "bin" / "python"
    done = folder / name / f".{version}"
    if done.exists():
        return None
    venv.create(folder / name, with_pip=True, clear=True)
    error = run(
        str(python), "-m", "pip", "install", "--quiet", f"{name}=={version}", *BESIDES.get(name, ())
    )
    if error is None:
        done.touch()
    return error


def make_locale(folder: Path) -> str | None:
    """HateSonar and ForceField load models that need this locale, which small systems lack."""
    target = folder / "locales" / "en_US.UTF-8"
    if target.is_dir():
        return None
    target.parent.mkdir(exist_ok=True)
    return run("localedef", "-i", "en_US", "-f", "UTF-8", str(target))


def run(*command: str) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"cannot run {command[0]} ({error.strerror})"
    if result.returncode == 0:
        return None
    return f"failed: {(result.stderr.strip().splitlines() or ['no reason given'])[-1]}"


if __name__ == "__main__":
    sys.exit(main())
