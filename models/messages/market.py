"""`market.marks`: last prices, conflated, for everyone who needs a price but not every tick."""

from __future__ import annotations

import msgspec

from models.messages.validation import Checked, Count, PriceUnits, Seconds, Text


class Mark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Last price of one instrument, in 1/10,000 rupee, and the exchange time of its tick."""

    instrument_token: Count
    last_price_units: PriceUnits
    event_time: Seconds
    phase: Text


class Marks(Checked, frozen=True, kw_only=True):
    """`market.marks`: the instruments that changed since the last one. `clock` is the feed's event time."""

    run_id: Text
    clock: Seconds
    marks: tuple[Mark, ...] = ()
