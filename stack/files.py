"""Files that others read while we write them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def replace_file(file: Path, text: str) -> None:
    """Replace the file at once; readers see the old text or the new one."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(file)


def write_json(file: Path, value: Any) -> None:
    """Replace the file by JSON for people and programs."""
    replace_file(file, json.dumps(value, indent=2) + "\n")
