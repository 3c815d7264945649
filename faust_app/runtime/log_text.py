"""Makes one plain line of what libraries write in several, in boxes and in colours."""

from __future__ import annotations

import re

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
SERVICE = re.compile(r"\[\^-*(?P<service>[^\]]*)\]: ")  # Faust's own services say who speaks
BORDERS = "+-=─━┌┐└┘├┤┬┴┼┏┓┗┛ "
BETWEEN = " / "


def one_line(text: str) -> str:
    """The text without escape codes and boxes, its lines joined. The cells of a table are joined by commas."""
    text = ESCAPES.sub("", text)
    if "\n" not in text and "\r" not in text:
        return text
    lines = (_without_box(line) for line in text.splitlines())
    return BETWEEN.join(filter(None, lines))


def _without_box(line: str) -> str:
    stripped = line.strip()
    if stripped.startswith(("|", "│", "┃")):
        cells = (cell.strip() for cell in re.split("[|│┃]", stripped))
        return ", ".join(filter(None, cells))
    is_border = len(stripped) > 1 and stripped[0] in BORDERS and stripped[-1] in BORDERS
    return stripped.strip(BORDERS) if is_border else stripped


def speaker(text: str) -> tuple[str, str]:
    """(service, what it says) of a line of one of Faust's services; an empty service for all others."""
    found = SERVICE.match(text)
    return (found["service"], text[found.end() :]) if found else ("", text)
