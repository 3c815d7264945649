"""All differences at one time. Pure: the same readings at the same time give the same differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from trading.reconciliation.book import BrokerBook
from trading.reconciliation.difference import Difference, Readings, Tolerances
from trading.reconciliation.funds import funds_differences
from trading.reconciliation.kinds import DifferenceKind
from trading.reconciliation.motion import moving_orders
from trading.reconciliation.orders import NOTHING, match_orders, order_differences
from trading.reconciliation.portfolio import portfolio_differences
from trading.reconciliation.trades import trade_differences

DEFAULT = Tolerances()


def compare(readings: Readings, now: float, tolerances: Tolerances = DEFAULT) -> tuple[Difference, ...]:
    """What differs at `now`, epoch seconds; what could not be read is not compared. Raises nothing."""
    return tuple(_differences(readings, now, tolerances))


def _differences(readings: Readings, now: float, tolerances: Tolerances) -> Iterator[Difference]:
    book, has_begun = readings.broker, readings.has_begun(now)
    moving = moving_orders(readings, now, tolerances.grace_seconds)
    yield from _unreadable(book)
    if has_begun:
        yield from funds_differences(readings, tolerances)
    if book.orders is None:
        return
    matched = match_orders(readings.orders, book.orders)
    yield from order_differences(readings, matched, moving, now, tolerances)
    if book.trades is not None:
        yield from trade_differences(readings, matched, moving, tolerances)
    if has_begun and book.positions is not None and book.holdings is not None:
        yield from portfolio_differences(readings, matched)


def _unreadable(book: BrokerBook) -> Iterator[Difference]:
    for area, count in sorted(Counter(row.area for row in book.unread).items()):
        problems = sorted({row.problem for row in book.unread if row.area is area})
        yield Difference(
            kind=DifferenceKind.ROWS_UNREADABLE,
            subject=area.value,
            ours=NOTHING,
            theirs=f"{count}: {'; '.join(problems)}",
        )
