"""Instrument dumps in Kite's format, with one thing at a time to vary."""

from __future__ import annotations

import csv
import io
from datetime import date

from trading.market.instrument_dump import COLUMNS, SEGMENT_NUMBERS

HEADER = ",".join(COLUMNS)
DAY = date(2026, 8, 20)
INFY = {
    "instrument_token": "408065",
    "exchange_token": "1594",
    "tradingsymbol": "INFY",
    "name": "INFOSYS",
    "last_price": "0",
    "expiry": "",
    "strike": "0",
    "tick_size": "0.05",
    "lot_size": "1",
    "instrument_type": "EQ",
    "segment": "NSE",
    "exchange": "NSE",
}


def row(**changes: str) -> str:
    """One line: INFY on NSE."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow({**INFY, **changes}.values())
    return buffer.getvalue().rstrip("\n")


def stock(tradingsymbol: str, number: int, exchange: str = "NSE", **changes: str) -> str:
    """One line: a stock with an exchange token."""
    fixed = {"tradingsymbol": tradingsymbol, "name": "", "exchange": exchange, "segment": exchange}
    return row(**{**_numbered(number, exchange), **fixed, **changes})


def future(underlying: str, number: int, expiry: str = "2026-08-25", exchange: str = "NFO", **changes: str) -> str:
    """One line: a future on a stock or index, lot 50."""
    fixed = {"tradingsymbol": f"{underlying}26AUGFUT", "name": underlying, "exchange": exchange, "expiry": expiry}
    kind = {"segment": f"{exchange}-FUT", "instrument_type": "FUT", "lot_size": "50"}
    return row(**{**_numbered(number, exchange), **fixed, **kind, **changes})


def _numbered(number: int, exchange: str) -> dict[str, str]:
    return {"exchange_token": str(number), "instrument_token": str(number * 256 + SEGMENT_NUMBERS[exchange])}


def dump_text(*rows: str) -> str:
    """A whole dump."""
    return "\n".join((HEADER, *rows)) + "\n"
