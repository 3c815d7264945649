"""Unpacks Debian's Prometheus and Alertmanager into `.tools`, without root: `make tools`.

Best effort: where that cannot be, it says why and ends with code 0. What needs them says so, too.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
TOOLS = PROJECT / ".tools"
PACKAGES = ("prometheus", "prometheus-alertmanager")
PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
ANOTHER_WAY = "install them as docs/runbooks/observe.md says; without them their tests are skipped"
SECONDS = 180.0
QUICK = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20")


def missing() -> list[str]:
    """Programs that are neither in PATH nor in `.tools`."""
    return [name for name in PROGRAMS if not shutil.which(name) and not (TOOLS / "usr/bin" / name).exists()]


def fetch() -> str:
    """Download and unpack; what went wrong, empty when nothing did."""
    lacking = [name for name in ("apt-get", "dpkg") if shutil.which(name) is None]
    if lacking:
        return f"this system has no {' and no '.join(lacking)}"
    packages = TOOLS / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    problem = _run(["apt-get", *QUICK, "download", *PACKAGES], packages)
    for package in () if problem else sorted(packages.glob("*.deb")):
        problem = problem or _run(["dpkg", "-x", str(package), str(TOOLS)], packages)
    shutil.rmtree(packages, ignore_errors=True)
    return problem


def _run(arguments: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{arguments[0]}: {error}"
    said = (done.stderr or done.stdout).strip().splitlines()
    return "" if done.returncode == 0 else f"{arguments[0]}: {said[-1] if said else f'code {done.returncode}'}"


def main() -> None:
    """Always ends with code 0."""
    before = missing()
    if not before:
        return
    print(f"Unpacking {' and '.join(PACKAGES)} into {TOOLS.relative_to(PROJECT)} ...")
    problem = fetch()
    after = missing()
    if problem or after:
        print(f"Without {', '.join(after or before)}: {problem or 'the packages do not have them'}; {ANOTHER_WAY}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
