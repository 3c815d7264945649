"""Instruments of the sandbox: NSE equities, known names first, two indices, and the dump they appear in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from random import Random

from trading.market.instrument_dump import COLUMNS
from trading.market.instruments import Instrument

INDEX_NAMES = ("NIFTY 50", "NIFTY BANK")
KNOWN_NAMES = """
ADANIENT ADANIPORTS APOLLOHOSP ASIANPAINT AXISBANK BAJAJ-AUTO BAJAJFINSV BAJFINANCE BEL BHARTIARTL
CIPLA COALINDIA DRREDDY EICHERMOT ETERNAL GRASIM HCLTECH HDFCBANK HDFCLIFE HINDALCO
HINDUNILVR ICICIBANK INDIGO INFY ITC JIOFIN JSWSTEEL KOTAKBANK LT M&M
MARUTI MAXHEALTH NESTLEIND NTPC ONGC POWERGRID RELIANCE SBILIFE SBIN SHRIRAMFIN
SUNPHARMA TATACONSUM TATASTEEL TCS TECHM TITAN TMPV TRENT ULTRACEMCO WIPRO
""".split()  # noqa: SIM905 - a table reads better than fifty strings
# NSE cash tick sizes: below the first number of rupees, the second (NSE circular of 2025)
TICK_BANDS = (
    (250, Decimal("0.01")),
    (1000, Decimal("0.05")),
    (5000, Decimal("0.10")),
    (10_000, Decimal("0.50")),
    (20_000, Decimal("1.00")),
)
LARGEST_TICK = Decimal("5.00")


def tick_size_at(price: Decimal) -> Decimal:
    """Tick size of an NSE equity at a price, rupees."""
    return next((tick for below, tick in TICK_BANDS if price < below), LARGEST_TICK)


def symbols(count: int, rng: Random) -> Iterator[str]:
    """`count` different symbols: the known names, then made-up ones."""
    taken = set(KNOWN_NAMES)
    yield from KNOWN_NAMES[:count]
    for _ in range(count - len(KNOWN_NAMES)):
        symbol = ""
        while not symbol or symbol in taken:
            symbol = "".join(rng.choice("ABCDEFGHIKLMNOPRSTUV") for _ in range(rng.randint(4, 8)))
        taken.add(symbol)
        yield symbol


def dump(instruments: Iterable[Instrument], exchange: str | None = None) -> str:
    """The instrument dump as Kite writes it, of all exchanges or of one."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in instruments:
        if exchange in (None, one.exchange):
            writer.writerow(_row(one))
    return written.getvalue()


def _row(one: Instrument) -> list[object]:
    expiry = one.expiry.isoformat() if one.expiry else ""
    return [
        one.instrument_token, one.exchange_token, one.tradingsymbol, one.name, "0.0", expiry, "0.0",
        f"{one.tick_size:f}", one.lot_size, one.instrument_type, one.segment, one.exchange,
    ]  # fmt: skip
