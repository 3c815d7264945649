"""Secrets stay out of logs: known values wherever they appear, and what follows or is kept under a secret's name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretStr

BLANK = "***"
LEAST_LENGTH = 4  # shorter ones are in every other word
NAMES = "access_token|refresh_token|request_token|api_secret|password|checksum|authorization"
SECRET_NAME = re.compile(NAMES, re.IGNORECASE)
SECRET_FILE = re.compile(r"(?:.*_)?(?:password|key|secret|token|addresses|url)_file")
PATTERNS = (
    (re.compile(rf"({NAMES})([\\\"']*\s*[=:]\s*[\\\"']*)(?!token )[^\s&\"',\\]+", re.IGNORECASE), r"\1\2***"),
    (re.compile(r"(token\s+)[^\s:]+:[^\s\"',\\]+", re.IGNORECASE), r"\1***"),  # Kite's Authorization header
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1***@"),
)


class Secrets:
    """Values to blank, in every form in which they get into texts."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: tuple[str, ...] = ()

    def hide(self, values: Iterable[str]) -> None:
        """Blank these from now on. Cheap for those known already; too short ones are left out."""
        new = {value for value in values if len(value) >= LEAST_LENGTH} - self._known
        if new:
            self._known |= new
            forms = {form for value in self._known for form in _forms(value)}
            self._forms = tuple(sorted(forms, key=len, reverse=True))

    def forget(self) -> None:
        """Know none."""
        self._known, self._forms = set(), ()

    def blank(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, BLANK)
        return text


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield value.encode(errors="backslashreplace").decode(errors="backslashreplace")
    yield repr(value.encode(errors="backslashreplace"))[2:-1]
    with_percents = value.encode(errors="replace")
    yield quote(with_percents, safe="")
    yield quote(with_percents)
    yield quote_plus(with_percents)


KNOWN = Secrets()  # of this process


def secrets_of(settings: BaseModel) -> set[str]:
    """Every secret value of a configuration, those in files it names included. A file that cannot be read has none."""
    found: set[str] = set()
    for name in type(settings).model_fields:
        found |= _in(name, getattr(settings, name))
    return found


def _in(name: str, value: Any) -> set[str]:
    match value:
        case SecretStr():
            return {value.get_secret_value()}
        case BaseModel():
            return secrets_of(value)
        case Path() if SECRET_FILE.fullmatch(name):
            return _lines(value)
        case dict():
            return {one for key, inner in value.items() for one in _in(str(key), inner)}
        case tuple() | list():
            return {one for inner in value for one in _in(name, inner)}
        case _:
            return set()


def _lines(file: Path) -> set[str]:
    try:
        return {line.strip() for line in file.read_text(errors="replace").splitlines()}
    except OSError:
        return set()


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """Blank secrets however deep in the event; what is left are JSON's own types."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _without(key, value)
    return event


def blanked(text: str) -> str:
    """One text without secrets."""
    text = KNOWN.blank(text)
    if "=" in text or ":" in text:  # every pattern has one
        for pattern, blank in PATTERNS:
            text = pattern.sub(blank, text)
    return text


def _without(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if SECRET_NAME.fullmatch(name):
        return BLANK
    match value:
        case str():
            return blanked(value)
        case int() | float():
            text = str(value)
            return value if math.isfinite(value) and KNOWN.blank(text) == text else blanked(text)
        case bytes():
            return blanked(value.decode(errors="backslashreplace"))
        case dict():
            return {blanked(str(key)): _without(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_without("", inner) for inner in value]
        case _:
            return blanked(repr(value))
