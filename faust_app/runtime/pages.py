"""Where the workers' pages are: the local stack notes it, others read it."""

from __future__ import annotations

import json
from pathlib import Path

PAGES_FILE = "pages.json"


def read_pages(path: Path) -> dict[str, int]:
    """Ports of the workers' pages by worker, from the stack's state folder; empty before they have been started."""
    try:
        pages: dict[str, int] = json.loads((path / PAGES_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return pages
