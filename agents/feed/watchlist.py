"""The list of instruments to subscribe to: YAML, read with line numbers, refused with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from brokers.zerodha.ticker import MOST_CONNECTIONS, TOKENS_PER_CONNECTION
from faust_app.runtime.errors import ConfigurationError
from trading.market.instruments import Instrument, InstrumentRegistry, Problem, select

MOST_INSTRUMENTS = MOST_CONNECTIONS * TOKENS_PER_CONNECTION
MOST_SHOWN = 20
KEYS = ("all", "instruments")


def read_watchlist(path: Path, registry: InstrumentRegistry) -> list[Instrument]:
    """Instruments named by the file. Raises ConfigurationError that names every refused line."""
    node = _compose(path)
    everything, rows, problems = _parts(node)
    chosen = list(registry)
    if not everything:
        chosen, refused = select(rows, registry)
        problems += refused
    if problems:
        raise ConfigurationError(_sentence(path, problems))
    if not chosen:
        raise ConfigurationError(f"{path} names no instrument: list some, or set all: true")
    if len(chosen) > MOST_INSTRUMENTS:
        raise ConfigurationError(f"{path} names {len(chosen)} instruments; Kite streams at most {MOST_INSTRUMENTS}")
    return chosen


def _compose(path: Path) -> yaml.Node:
    try:
        node = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"Cannot read the list of instruments {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(f"{path} must hold the keys {' and '.join(KEYS)}")
    return node


def _parts(node: yaml.Node) -> tuple[bool, list[tuple[int, str]], list[Problem]]:
    everything = False
    rows: list[tuple[int, str]] = []
    problems: list[Problem] = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value == "all" and value.tag.endswith(":bool"):
            everything = value.value.lower() in ("true", "yes", "on")
        elif key.value == "instruments" and isinstance(value, yaml.SequenceNode):
            rows = list(_rows(value, problems))
        elif key.value in KEYS:
            problems.append(Problem(line, f"{key.value} must be {'true or false' if key.value == 'all' else 'a list'}"))
        else:
            problems.append(Problem(line, f"unknown key {key.value!r}"))
    return everything, rows, problems


def _rows(sequence: yaml.SequenceNode, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    for item in sequence.value:
        line = item.start_mark.line + 1
        if isinstance(item, yaml.ScalarNode):
            yield line, item.value
        else:
            problems.append(Problem(line, "not EXCHANGE:TRADINGSYMBOL"))


def _sentence(path: Path, problems: list[Problem]) -> str:
    shown = [f"line {one.line}: {one.reason}" for one in sorted(problems, key=lambda one: one.line)]
    rest = f"; and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
    return f"{path} is refused: " + "; ".join(shown[:MOST_SHOWN]) + rest
