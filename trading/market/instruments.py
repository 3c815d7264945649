"""Instruments as Kite's dump describes them, read with suspicion.

The dump is CSV with the columns of `COLUMNS`. On every row of real dumps
`instrument_token = exchange_token * 256 + segment number`; a row that breaks it is refused. Tokens are reused
after expiry, so everything durable is keyed by `EXCHANGE:TRADINGSYMBOL`. Source: Kite Connect documentation,
"Market quotes and instruments".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec

from models.messages.ticks import to_units

COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
SEGMENT_NUMBERS = {
    "NSE": 1,
    "NFO": 2,
    "CDS": 3,
    "BSE": 4,
    "BFO": 5,
    "BCD": 6,
    "MCX": 7,
    "MCXSX": 8,
    "INDICES": 9,
    "NCO": 12,
}


WHOLE = re.compile(r"([0-9]{1,15})(?:\.0*)?")
MOST_TOKEN = 2**32 - 1  # unsigned 32 bits in packets
MOST_RUPEES = 10**9
LONGEST_KEY = 256
SHOWN = 40


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the dump. Prices in rupees; `lot_size` in units; indices have tick and lot 0."""

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
    group: str = ""

    @property
    def key(self) -> str:
        """`EXCHANGE:TRADINGSYMBOL`."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def co_location_group(self) -> str:
        """Instruments of one group share a partition; by default each is its own group."""
        return self.group or self.key

    @property
    def is_tradable(self) -> bool:
        """False for indices."""
        return self.tick_size > 0 and self.lot_size > 0


class Problem(msgspec.Struct, frozen=True):
    """Why a row was refused; `line` counts from 1, the header included."""

    line: int
    reason: str


class InstrumentRegistry:
    """Instruments by token and by key."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
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


def parse_dump(text: str) -> tuple[list[Instrument], list[Problem]]:
    """Instruments of a Kite dump, and every refused row with its line."""
    reader = csv.reader(io.StringIO(text))
    header = next(_rows(reader), [])
    if tuple(header) != COLUMNS:
        return [], [Problem(1, f"Expected the columns {', '.join(COLUMNS)}")]
    found: dict[str, Instrument] = {}
    tokens: dict[int, str] = {}
    problems: list[Problem] = []
    for row in _rows(reader):
        result = _parse_row(row)
        if isinstance(result, Instrument):
            reason = _duplicate(result, found, tokens)
            if reason is None:
                found[result.key] = result
                tokens[result.instrument_token] = result.key
                continue
            result = reason
        problems.append(Problem(reader.line_num, result))
    return list(found.values()), problems


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows; one that is no CSV is given as an empty one, which has the wrong number of columns."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []


def _duplicate(one: Instrument, found: dict[str, Instrument], tokens: dict[int, str]) -> str | None:
    if one.key in found:
        return f"{one.key} appears twice"
    if one.instrument_token in tokens:
        return f"Token {one.instrument_token} of {one.key} belongs to {tokens[one.instrument_token]}"
    return None


def _parse_row(row: list[str]) -> Instrument | str:
    if len(row) != len(COLUMNS):
        return f"Expected {len(COLUMNS)} columns, found {len(row)}"
    fields = dict(zip(COLUMNS, row, strict=True))
    try:
        one = _instrument(fields)
    except ValueError as error:
        return f"Not an instrument: {error}"
    return _contradiction(one) or one


def _instrument(fields: dict[str, str]) -> Instrument:
    expiry = fields["expiry"]
    return Instrument(
        instrument_token=_whole("instrument_token", fields),
        exchange_token=_whole("exchange_token", fields),
        exchange=fields["exchange"],
        tradingsymbol=fields["tradingsymbol"],
        name=fields["name"],
        segment=fields["segment"],
        instrument_type=fields["instrument_type"],
        tick_size=_price("tick_size", fields),
        lot_size=_whole("lot_size", fields),
        expiry=date.fromisoformat(expiry) if expiry else None,
        strike=_price("strike", fields) if fields["strike"] else Decimal(0),
    )


def _whole(name: str, fields: dict[str, str]) -> int:
    """A count; a file saved again by a spreadsheet has `65.0`."""
    found = WHOLE.fullmatch(fields[name])
    if found is None:
        raise ValueError(f"{name} {_shown(fields[name])} is no whole number")
    return int(found[1])


def _price(name: str, fields: dict[str, str]) -> Decimal:
    try:
        price = Decimal(fields[name])
        if price.is_finite() and 0 <= price < MOST_RUPEES:
            to_units(price)
            return price
    except (ValueError, InvalidOperation):
        pass
    raise ValueError(f"{name} {_shown(fields[name])} is no price")


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _contradiction(one: Instrument) -> str | None:
    if not one.tradingsymbol or not one.exchange or one.key.count(":") > 1:
        return "Exchange and tradingsymbol must not be empty or hold a colon"
    if len(one.key) > LONGEST_KEY:
        return f"{_shown(one.key)} is longer than {LONGEST_KEY} characters"
    number = SEGMENT_NUMBERS.get("INDICES" if one.segment == "INDICES" else one.exchange)
    if number is None:
        return f"Unknown exchange {one.exchange}"
    if not 0 < one.instrument_token <= MOST_TOKEN:
        return f"Token {one.instrument_token} is outside 1 to {MOST_TOKEN}"
    expected = one.exchange_token * 256 + number
    if one.instrument_token != expected:
        return f"Token {one.instrument_token} of {one.key} should be {expected}"
    return None


def select(rows: Iterable[tuple[int, str]], registry: InstrumentRegistry) -> tuple[list[Instrument], list[Problem]]:
    """Instruments named by `(line, EXCHANGE:TRADINGSYMBOL)` rows; malformed, unknown and repeated rows are refused."""
    chosen: dict[str, Instrument] = {}
    problems: list[Problem] = []
    for line, row in rows:
        key = row.strip()
        one = registry.by_key(key)
        if key.count(":") != 1 or key.startswith(":") or key.endswith(":"):
            problems.append(Problem(line, f"{row!r} is not EXCHANGE:TRADINGSYMBOL"))
        elif key in chosen:
            problems.append(Problem(line, f"{key} appears twice"))
        elif one is None:
            problems.append(Problem(line, f"{key} is not in the instrument dump"))
        else:
            chosen[key] = one
    return list(chosen.values()), problems
