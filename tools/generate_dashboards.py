"""Writes Grafana's dashboards to `grafana/dashboards` from `tools.dashboards`; `--check` says which are out of date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from faust_app.runtime.settings import PROJECT
from tools.dashboards.catalogue import PAGES
from tools.dashboards.pages import Page

FOLDER = PROJECT / "grafana" / "dashboards"


def text(page: Page) -> str:
    """The dashboard's file: sorted keys, so that a change is a small difference."""
    return json.dumps(page.json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Every file of the folder by name."""
    return {f"{page.uid}.json": text(page) for page in PAGES}


def out_of_date(folder: Path) -> list[str]:
    """Names of files that are missing, differ from what the code says now, or that no page has."""
    wanted = files()
    there = {file.name: file.read_text() for file in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path) -> None:
    """Write every file; remove those no page has."""
    wanted = files()
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.json"):
        if file.name not in wanted:
            file.unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content)


def main() -> None:
    """Write the dashboards, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which dashboards are out of date")
    if not parser.parse_args().check:
        write(FOLDER)
    elif stale := out_of_date(FOLDER):
        sys.exit(f"Out of date in grafana/dashboards: {', '.join(stale)}. Run `make docs`.")


if __name__ == "__main__":
    main()
