"""Short words for tests of the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models.messages.orders import OrderType, OrderUpdate, PlannedOrder, Side
from models.messages.ticks import Tick
from tests.factories import AT, order, tick
from trading.market.sessions import Phase, Stage
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment
from trading.matching.rules import MatchingRules


def exchange_with(*orders: PlannedOrder, **rules: Any) -> PaperExchange:
    """An exchange that has taken orders in."""
    exchange = PaperExchange(MatchingRules(**rules))
    for one in orders:
        exchange.submit(one)
    return exchange


def later(seconds: int = 1, sequence: int = 2, **values: Any) -> Tick:
    """A tick so many seconds after the orders' own."""
    return tick(sequence=sequence, at=AT + seconds, **values)


def show(
    exchange: PaperExchange, one: Tick, phase: Phase = Phase.CONTINUOUS, stage: Stage = Stage.CONTINUOUS
) -> list[OrderUpdate]:
    """What the exchange reports of a tick."""
    return exchange.on_tick(one, Moment(one.exchange_time, phase, stage), "run")


def fills(updates: list[OrderUpdate]) -> list[tuple[int, str]]:
    """(quantity, rupees) of each fill."""
    return [(one.fill_quantity, f"{one.fill_price:f}") for one in updates if one.fill_price is not None]


def stop(side: Side, trigger: str, limit: str | None = None, **values: Any) -> PlannedOrder:
    """A stop order: SL with a limit, SL-M without."""
    return order(
        side=side,
        order_type=OrderType.SL_M if limit is None else OrderType.SL,
        trigger_price=Decimal(trigger),
        limit_price=None if limit is None else Decimal(limit),
        **values,
    )
