"""Positions and holdings against the broker's, over all strategies, and what the orders of the day explain of it.

What orders explain is looked at first: what others have filled, and what of our own orders the broker has filled
otherwise than we know. Only what is left is a difference of the position itself. Quantities of one instrument that
only changed their product, or became a delivery over night, are a conversion. The broker's figures carry no time, so
they are always taken to be in motion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from models.messages.orders import Product
from trading.accounting.views import net_positions
from trading.reconciliation.difference import Difference, Readings
from trading.reconciliation.gaps import HOLDING, Gap, Place, holding_gaps, position_gaps, turnover, unsettled
from trading.reconciliation.kinds import DifferenceKind as K
from trading.reconciliation.orders import Matched


def portfolio_differences(readings: Readings, matched: Matched) -> Iterator[Difference]:
    """All differences of positions and holdings. Pure; raises nothing."""
    own, foreign = _unbooked(matched), _foreign(matched)
    left: dict[str, list[Gap]] = {}
    for gap in (*position_gaps(readings), *holding_gaps(readings)):
        if gap.units == own[gap.place] + foreign[gap.place]:
            yield from _explained(gap, own[gap.place], foreign[gap.place])
        else:
            left.setdefault(gap.instrument, []).append(gap)
    for instrument, gaps in left.items():
        if not sum(gap.units for gap in gaps):
            yield _converted(instrument, gaps)
        else:
            yield from (_unexplained(gap) for gap in gaps)
    yield from _overnight(readings)
    yield from (_of(K.HOLDING_UNSETTLED, gap) for gap in unsettled(readings))


def _unbooked(matched: Matched) -> Counter[Place]:
    """Units the broker's positions have from our own orders, and we have not: by what differs in the orders."""
    found: Counter[Place] = Counter()
    for record, order in matched.pairs:
        asked = record.order
        if order is not None:
            found[order.instrument, order.product] += order.signed_fill
            found[asked.instrument, asked.product.value] -= asked.side.sign * record.filled_quantity
    for order in (*matched.unrecorded, *(one for _, one in matched.doubled)):
        found[order.instrument, order.product] += order.signed_fill
    return found


def _foreign(matched: Matched) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for order in matched.foreign:
        found[order.instrument, order.product] += order.signed_fill
    return found


def _explained(gap: Gap, own: int, foreign: int) -> Iterator[Difference]:
    if own:
        yield _of(K.POSITION_UNBOOKED, gap, units=own)
    if foreign:
        yield _of(K.POSITION_FOREIGN, gap, units=foreign)


def _unexplained(gap: Gap) -> Difference:
    if gap.product == HOLDING:
        return _of(K.HOLDING_MORE if gap.units > 0 else K.HOLDING_LESS, gap)
    if not gap.theirs:
        return _of(K.POSITION_MISSING, gap)
    return _of(K.POSITION_QUANTITY if gap.ours else K.POSITION_UNKNOWN, gap)


def _of(kind: K, gap: Gap, *, units: int | None = None) -> Difference:
    return Difference(
        kind=kind,
        subject=f"{gap.instrument} {gap.product}",
        instrument=gap.instrument,
        ours=str(gap.ours),
        theirs=str(gap.theirs),
        gap=f"{gap.units if units is None else units:+d}",
        basis=gap.basis,
        is_moving=True,
    )


def _converted(instrument: str, gaps: list[Gap]) -> Difference:
    return Difference(
        kind=K.POSITION_CONVERTED,
        subject=instrument,
        instrument=instrument,
        ours=", ".join(f"{gap.product} {gap.ours}" for gap in gaps),
        theirs=", ".join(f"{gap.product} {gap.theirs}" for gap in gaps),
        gap=", ".join(f"{gap.product} {gap.units:+d}" for gap in gaps),
        basis=", ".join(gap.basis for gap in gaps),
        is_moving=True,
    )


def _overnight(readings: Readings) -> Iterator[Difference]:
    """Of positions whose quantity agrees; deliveries carried over night are holdings."""
    theirs = {(one.instrument, one.product): one for one in readings.broker.positions or ()}
    for one in net_positions(readings.account, readings.marks):
        found = theirs.get((one.instrument, one.product.value))
        if found is None or one.product is Product.CNC or found.quantity != one.quantity:
            continue
        if found.overnight_quantity != one.overnight_quantity:
            gap = Gap(
                one.instrument, one.product.value, one.overnight_quantity, found.overnight_quantity, turnover(one)
            )
            yield _of(K.POSITION_OVERNIGHT, gap)
