"""How arguments are read: one clear sentence for what cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import yaml

from faust_app.runtime.errors import ConfigurationError


def assignment(text: str) -> tuple[str, Any]:
    """`NAME=VALUE` as a name and what YAML makes of the value. Raises ConfigurationError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(f"{text!r} is not NAME=VALUE")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{text!r}: the value cannot be read") from error


def assignments(texts: Iterable[str] | None) -> dict[str, Any]:
    """Several of them."""
    return dict(map(assignment, texts or ()))


def day(text: str | None, option: str) -> date | None:
    """`YYYY-MM-DD` as a date, None for no text. Raises ConfigurationError."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ConfigurationError(f"{option} {text!r} is not a date like 2026-11-20") from error
