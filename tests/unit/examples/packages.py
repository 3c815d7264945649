"""Runs the examples as a user does, but installed into a folder of their own instead of the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
EXAMPLES = PROJECT / "examples"
QUIET = "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--quiet"


def install(example: str, folder: Path) -> Path:
    """The example built and installed below `folder`; the folder to import it from."""
    source, target = folder / "source", folder / "installed"
    shutil.copytree(EXAMPLES / example, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    finished = run([sys.executable, "-m", "pip", "install", *QUIET, "--target", str(target), str(source)], ())
    assert finished.returncode == 0, finished.stderr
    return target


def run(command: list[str], imports: tuple[Path, ...], folder: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """A command in `folder`, which can import the project and `imports`."""
    path = os.pathsep.join([*map(str, (*imports, PROJECT)), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def found_by_registry(imports: Path) -> str:
    """What the registry of a fresh process says: names, then what does not load."""
    code = "from trading.strategies.registry import broken, names; print(names(), broken())"
    finished = run([sys.executable, "-c", code], (imports,))
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
