"""Instruments, and how they are found.

Tokens are reused after expiry, so everything durable is keyed by `EXCHANGE:TRADINGSYMBOL`. Where instruments come from:
`instrument_dump` reads them, `listings` keeps what is known of them from day to day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

import msgspec

INDICES = "INDICES"
EQUITY = "EQ"
CASH_EXCHANGES = ("NSE", "BSE")
DERIVATIVE_EXCHANGES = ("NFO", "BFO")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What can be watched or traded. Prices in rupees; quantities in units; indices have tick and lot 0.

    `freeze_quantity` is the largest quantity of one order, None when it is not known. `has_derivatives` is true of a
    stock with a live future or option on an Indian exchange.
    """

    instrument_token: int
    exchange_token: int
    exchange: str
    tradingsymbol: str
    name: str = ""
    segment: str
    instrument_type: str
    tick_size: Decimal
    lot_size: int
    expiry: date | None = None
    strike: Decimal = Decimal(0)
    freeze_quantity: int | None = None
    has_derivatives: bool = False
    group: str = ""

    @property
    def key(self) -> str:
        """`EXCHANGE:TRADINGSYMBOL`."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def underlying(self) -> str:
        """What a derivative is written on (`NIFTY`, `RELIANCE`); empty for everything else."""
        return "" if self.instrument_type == EQUITY else self.name

    @property
    def co_location_group(self) -> str:
        """Instruments of one group share a partition; by default each is its own group."""
        return self.group or self.key

    @property
    def is_tradable(self) -> bool:
        """False for indices."""
        return self.segment != INDICES and self.tick_size > 0 and self.lot_size > 0


class Problem(msgspec.Struct, frozen=True):
    """Why a line of a list was refused; `line` counts from 1."""

    line: int
    reason: str


class InstrumentRegistry:
    """Instruments by token and by key. `days` is by exchange the day of the dump they are from, where it is known."""

    def __init__(self, instruments: Iterable[Instrument], days: Mapping[str, date] | None = None) -> None:
        self.days = dict(days or {})
        self._by_token = {one.instrument_token: one for one in instruments}
        self._by_key = {one.key: one for one in self._by_token.values()}

    def by_token(self, token: int) -> Instrument | None:
        """The instrument with this token."""
        return self._by_token.get(token)

    def by_key(self, key: str) -> Instrument | None:
        """The instrument called `EXCHANGE:TRADINGSYMBOL`."""
        return self._by_key.get(key)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_token.values())

    def __len__(self) -> int:
        return len(self._by_token)


def is_key(text: str) -> bool:
    """True for text of the form `EXCHANGE:TRADINGSYMBOL`."""
    exchange, _, tradingsymbol = text.partition(":")
    return bool(exchange and tradingsymbol) and ":" not in tradingsymbol


def select(rows: Iterable[tuple[int, str]], registry: InstrumentRegistry) -> tuple[list[Instrument], list[Problem]]:
    """Instruments named by `(line, EXCHANGE:TRADINGSYMBOL)` rows; malformed, unknown and repeated rows are refused."""
    chosen: dict[str, Instrument] = {}
    problems: list[Problem] = []
    for line, row in rows:
        key = row.strip()
        one = registry.by_key(key)
        if not is_key(key):
            problems.append(Problem(line, f"{row!r} is not EXCHANGE:TRADINGSYMBOL"))
        elif key in chosen:
            problems.append(Problem(line, f"{key} appears twice"))
        elif one is None:
            problems.append(Problem(line, f"{key} is not in the instrument dump"))
        else:
            chosen[key] = one
    return list(chosen.values()), problems
