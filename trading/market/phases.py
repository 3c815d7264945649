"""What an exchange does at a moment, and in which market."""

from __future__ import annotations

import re
from enum import StrEnum

CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class Phase(StrEnum):
    """What the exchange does."""

    CLOSED = "closed"
    PRE_OPEN = "pre_open"
    CONTINUOUS = "continuous"
    CLOSING_AUCTION = "closing_auction"
    POST_CLOSE = "post_close"


class Stage(StrEnum):
    """What may be entered within a phase."""

    CLOSED = "closed"
    ENTRY = "entry"  # limit and market orders
    LIMIT_ENTRY = "limit_entry"  # limit orders; market orders can no longer be changed
    RANDOM_END = "random_end"  # as before it, but entry ends at a random second of it
    REFERENCE = "reference"  # nothing: the auction's reference price is made
    MATCHING = "matching"  # nothing: orders are matched
    BUFFER = "buffer"  # nothing: continuous trading is about to begin
    CONTINUOUS = "continuous"
    CLOSING_PRICE = "closing_price"  # trades at the closing price


Row = tuple[int, Phase, Stage]  # second of the IST day from which it holds


class Market(StrEnum):
    """Instruments that share their phases."""

    CASH = "cash"
    CASH_WITH_DERIVATIVES = "cash_with_derivatives"  # stocks with a closing auction since 2026-08-03
    FUTURES = "futures"
    OPTIONS = "options"
    EXPIRING_INDEX_FUTURES = "expiring_index_futures"
    EXPIRING_INDEX_OPTIONS = "expiring_index_options"

    @property
    def is_derivatives(self) -> bool:
        """True for futures and options."""
        return self not in (Market.CASH, Market.CASH_WITH_DERIVATIVES)


def second_of_day(clock: str) -> int:
    """Seconds from midnight to `HH:MM`. Raises ValueError."""
    found = CLOCK.fullmatch(clock)
    if found is None:
        raise ValueError(f"{clock!r} is not a time like 09:15")
    return int(found[1]) * 3600 + int(found[2]) * 60


def parse_row(text: str) -> Row:
    """`09:15 continuous continuous` as a row. Raises ValueError."""
    words = text.split()
    if len(words) != 3:
        raise ValueError(f"{text!r} is not a time, a phase and a stage")
    return second_of_day(words[0]), Phase(words[1]), Stage(words[2])
