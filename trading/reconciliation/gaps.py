"""Quantities that differ: positions by instrument and product, holdings by symbol.

The depository knows no exchanges, and Kite shows shares under either of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from typing import TypeVar

import msgspec

from trading.accounting.views import KitePosition, holdings, net_positions
from trading.reconciliation.book import Area
from trading.reconciliation.difference import Readings

HOLDING = "holding"
Place = tuple[str, str]  # instrument and product, or HOLDING
Name = TypeVar("Name", str, Place)


class Gap(msgspec.Struct, frozen=True):
    """Two quantities of one place that differ; `basis` changes whenever ours may have."""

    instrument: str
    product: str
    ours: int
    theirs: int
    basis: str = ""

    @property
    def place(self) -> Place:
        """Where."""
        return self.instrument, self.product

    @property
    def units(self) -> int:
        """What the broker has more."""
        return self.theirs - self.ours


class _Shares(msgspec.Struct, frozen=True):
    """Holdings of one side by symbol; where both have one, the instrument is ours."""

    total: Counter[str]
    t1: Counter[str]
    instruments: dict[str, str]


def position_gaps(readings: Readings) -> Iterator[Gap]:
    """Net quantities, deliveries of the day among them."""
    ours, theirs, bases = Counter[Place](), Counter[Place](), {}
    for one in net_positions(readings.account, readings.marks):
        place = one.instrument, one.product.value
        ours[place], bases[place] = one.quantity, turnover(one)
    for row in readings.broker.positions or ():
        theirs[row.instrument, row.product] += row.quantity
    for place in _named(readings, Area.POSITIONS, ours.keys(), theirs.keys()):
        if ours[place] != theirs[place]:
            yield Gap(*place, ours[place], theirs[place], bases.get(place, ""))


def turnover(position: KitePosition) -> str:
    """Units bought and sold: it changes with every fill."""
    return f"{position.buy_quantity}/{position.sell_quantity}"


def holding_gaps(readings: Readings) -> Iterator[Gap]:
    """Delivery shares as the day began, settled or not."""
    ours, theirs = _ours(readings), _theirs(readings)
    for symbol in _named(readings, Area.HOLDINGS, ours.total.keys(), theirs.total.keys()):
        if ours.total[symbol] != theirs.total[symbol]:
            instrument = ours.instruments.get(symbol) or theirs.instruments[symbol]
            yield Gap(instrument, HOLDING, ours.total[symbol], theirs.total[symbol])


def unsettled(readings: Readings) -> Iterator[Gap]:
    """Shares bought too lately to be settled, of holdings that agree otherwise."""
    ours, theirs = _ours(readings), _theirs(readings)
    for symbol in sorted(ours.total.keys() & theirs.total.keys()):
        if ours.total[symbol] == theirs.total[symbol] and ours.t1[symbol] != theirs.t1[symbol]:
            yield Gap(ours.instruments[symbol], HOLDING, ours.t1[symbol], theirs.t1[symbol])


def _named(readings: Readings, area: Area, ours: Set[Name], theirs: Set[Name]) -> list[Name]:
    """What either side names; what the broker does not name is empty only when all its rows were read."""
    return sorted(ours | theirs if readings.broker.has_all(area) else theirs)


def _ours(readings: Readings) -> _Shares:
    found = _Shares(Counter(), Counter(), {})
    for one in holdings(readings.account):
        _add(found, one.instrument, one.quantity + one.t1_quantity, one.t1_quantity)
    return found


def _theirs(readings: Readings) -> _Shares:
    found = _Shares(Counter(), Counter(), {})
    for one in readings.broker.holdings or ():
        _add(found, one.instrument, one.quantity, one.t1_quantity)
    return found


def _add(shares: _Shares, instrument: str, quantity: int, t1_quantity: int) -> None:
    symbol = instrument.partition(":")[2]
    shares.total[symbol] += quantity
    shares.t1[symbol] += t1_quantity
    shares.instruments.setdefault(symbol, instrument)
