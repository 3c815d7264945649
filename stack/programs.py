"""Programs the stack can use and does not bring along: where they are, how to get them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from faust_app.runtime.settings import PROJECT
from stack.errors import CannotStart

TOOLS = PROJECT / ".tools" / "usr" / "bin"  # `make tools` puts them there
PACKAGES = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}  # of Debian, by program
NAMES = {"prometheus": ("prometheus",), "alertmanager": ("alertmanager", "prometheus-alertmanager")}  # Debian's last


def find(program: str) -> Path | None:
    """The program, from PATH or from `make tools`; None when it is in neither."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(TOOLS)))
    found = (shutil.which(name, path=places) for name in NAMES.get(program, (program,)))
    return next((Path(one) for one in found if one is not None), None)


def required(program: str) -> Path:
    """The program. Raises CannotStart, which says how to install it."""
    found = find(program)
    if found is None:
        raise CannotStart(how_to_install(program))
    return found


def how_to_install(program: str) -> str:
    """One sentence."""
    return (
        f"{program.capitalize()} is not installed. Debian, Ubuntu: `apt install {PACKAGES[program]}`, or `make tools` "
        f"without root; macOS: `brew install {program}`; others: https://prometheus.io/download"
    )
