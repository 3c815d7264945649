"""Kite's instrument dump, read with suspicion: every line becomes an instrument or a finding that says why not.

The dump is CSV with the columns of `COLUMNS`. On every row of real dumps
`instrument_token = exchange_token * 256 + segment number`. Source: Kite Connect documentation, "Market quotes and
instruments".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec

from models.messages.ticks import to_units
from trading.market.instrument_findings import Finding, FindingCode
from trading.market.instruments import EQUITY, INDICES, Instrument, is_key

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
    INDICES: 9,
    "NCO": 12,
}
SEGMENT_ENDINGS = {EQUITY: "", "FUT": "-FUT", "CE": "-OPT", "PE": "-OPT"}

WHOLE = re.compile(r"([0-9]{1,15})(?:\.0*)?")
MOST_TOKEN = 2**32 - 1  # unsigned 32 bits in packets
MOST_RUPEES = 10**9
LONGEST = 256
SHOWN = 40
LINES_A_STEP = 2000

Progress = Callable[[int], None]


class Dump(msgspec.Struct, frozen=True):
    """A dump as read: instruments by line, what was refused, and how many lines there were below the header."""

    day: date
    lines: int
    instruments: dict[int, Instrument]
    findings: tuple[Finding, ...]


def parse_dump(text: str, day: date, progress: Progress = lambda _: None) -> Dump:
    """The dump of `day`. Raises nothing: a line that cannot be used is a finding. `progress` gets the lines so far."""
    reader = csv.reader(io.StringIO(text))
    header = next(_rows(reader), [])
    if tuple(header) != COLUMNS:
        wrong = Finding(1, "", FindingCode.WRONG_COLUMNS, f"Expected the columns {', '.join(COLUMNS)}")
        return Dump(day, 0, {}, (wrong,))
    found: dict[int, Instrument] = {}
    taken: dict[str | int, str] = {}
    findings: list[Finding] = []
    lines = 0
    for lines, row in enumerate(_rows(reader), 1):
        result = _unique(_read(reader.line_num, row, day), reader.line_num, taken)
        if isinstance(result, Finding):
            findings.append(result)
        else:
            found[reader.line_num] = result
        if lines % LINES_A_STEP == 0:
            progress(lines)
    progress(lines)
    return Dump(day, lines, found, tuple(findings))


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows; one that is no CSV is given as an empty one, which has the wrong number of columns."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []


def _unique(result: Instrument | Finding, line: int, taken: dict[str | int, str]) -> Instrument | Finding:
    if isinstance(result, Finding):
        return result
    key, token = result.key, result.instrument_token
    if key in taken:
        return Finding(line, key, FindingCode.DUPLICATE_KEY, f"{key} appears twice")
    if token in taken:
        return Finding(line, key, FindingCode.DUPLICATE_TOKEN, f"Token {token} of {key} belongs to {taken[token]}")
    taken[key] = taken[token] = key
    return result


def _read(line: int, row: list[str], day: date) -> Instrument | Finding:
    if len(row) != len(COLUMNS):
        reason = f"Expected {len(COLUMNS)} columns, found {len(row)}"
        return Finding(line, "", FindingCode.MALFORMED_ROW, reason)
    fields = dict(zip(COLUMNS, row, strict=True))
    key = _shown(f"{fields['exchange']}:{fields['tradingsymbol']}")
    try:
        one = _instrument(fields)
    except ValueError as error:
        return Finding(line, key, FindingCode.MALFORMED_ROW, f"Not an instrument: {error}")
    wrong = _contradiction(one)
    if wrong is not None:
        return Finding(line, key, FindingCode.MALFORMED_ROW, wrong)
    refused = _refusal(one, day)
    return one if refused is None else Finding(line, key, *refused)


def _instrument(fields: dict[str, str]) -> Instrument:
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
        expiry=_expiry(fields),
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


def _expiry(fields: dict[str, str]) -> date | None:
    text = fields["expiry"]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"expiry {_shown(text)} is no date") from None


def _shown(text: str) -> str:
    """Text of the dump for a reason: short, and without what no log or database takes."""
    short = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return "".join(one if one.isprintable() else "?" for one in short)


def _contradiction(one: Instrument) -> str | None:
    """What about a row cannot be."""
    if not is_key(one.key) or not one.key.isprintable():
        return "Exchange and tradingsymbol must be printable, not empty, without a colon"
    if len(one.key) > LONGEST or len(one.name) > LONGEST or "\0" in one.name:
        return f"{_shown(one.key)}: key and name must be text of at most {LONGEST} characters"
    if one.exchange not in SEGMENT_NUMBERS and one.segment != INDICES:
        return f"Unknown exchange {_shown(one.exchange)}"
    ending = SEGMENT_ENDINGS.get(one.instrument_type)
    if ending is None:
        return f"Unknown instrument type {_shown(one.instrument_type)}"
    if one.segment != f"{one.exchange}{ending}" and (one.segment, ending) != (INDICES, ""):
        return f"Segment {_shown(one.segment)} is none of {one.instrument_type} on {one.exchange}"
    if ending:
        return _no_contract(one)
    return f"{one.key} has an expiry or a strike, but is no contract" if one.expiry or one.strike else None


def _no_contract(one: Instrument) -> str | None:
    if not one.underlying:
        return f"{one.key} does not name its underlying"
    if one.expiry is None:
        return f"{one.key} has no expiry"
    if (one.strike > 0) is (one.instrument_type == "FUT"):
        return f"{one.instrument_type} {one.key} has strike {one.strike:f}"
    return None


def _refusal(one: Instrument, day: date) -> tuple[FindingCode, str] | None:
    """Why a row that reads well is not taken."""
    if one.instrument_token > MOST_TOKEN:
        return FindingCode.WRONG_TOKEN, f"Token {one.instrument_token} of {one.key} is above {MOST_TOKEN}"
    expected = one.exchange_token * 256 + SEGMENT_NUMBERS[INDICES if one.segment == INDICES else one.exchange]
    if one.instrument_token != expected:
        return FindingCode.WRONG_TOKEN, f"Token {one.instrument_token} of {one.key} should be {expected}"
    if one.expiry is not None and one.expiry < day:
        return FindingCode.EXPIRED, f"{one.key} expired on {one.expiry}, before {day}"
    if one.segment != INDICES and not one.tick_size:
        return FindingCode.NO_TICK_SIZE, f"{one.key} is tradable, but has tick size 0"
    if one.segment != INDICES and not one.lot_size:
        return FindingCode.NO_LOT_SIZE, f"{one.key} is tradable, but has lot size 0"
    return None
