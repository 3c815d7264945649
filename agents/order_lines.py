"""What the log says of orders. Every line names the order and its chain: `logs --trace` finds it by either."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from models.messages.orders import OrderFailed, OrderFilled, PlannedOrder
from models.messages.signals import AcceptedSignal, DeniedSignal

log = structlog.get_logger(__name__)


def about(order: PlannedOrder) -> dict[str, str]:
    """Fields of a line about an order."""
    return {
        "order_id": order.order_id,
        "strategy": order.strategy,
        "instrument": order.instrument,
        "correlation_id": order.frame_id,
    }


def log_decision(result: AcceptedSignal | DeniedSignal) -> None:
    """Risk has decided on a signal. Denials of one strategy for the same reason are one line in a while."""
    if isinstance(result, AcceptedSignal):
        log.info(
            "signal_accepted",
            signal_id=result.signal_id,
            strategy=result.strategy,
            instrument=result.orders[0].instrument if result.orders else "",
            orders=len(result.orders),
        )
    denied = result if isinstance(result, DeniedSignal) else result.rest
    if denied is not None:
        log.info("signal_denied", strategy=denied.strategy, instrument=denied.instrument, code=str(denied.code))


def log_submitted(orders: Iterable[PlannedOrder]) -> None:
    """Intents are durable."""
    for order in orders:
        kind, side = order.order_type.value, order.side.value
        log.info("order_submitted", **about(order), side=side, quantity=order.quantity, order_type=kind)


def log_filled(fill: OrderFilled) -> None:
    """An order has filled, or a part of it."""
    log.info(
        "order_filled",
        **about(fill.order),
        fill_id=fill.fill_id,
        side=fill.order.side.value,
        quantity=fill.quantity,
        price=str(fill.price),
        cumulative_quantity=fill.cumulative_quantity,
    )


def log_failed(failed: OrderFailed) -> None:
    """An order will not fill further."""
    outcome, reason = failed.outcome.value, failed.reason
    log.info(
        "order_failed", **about(failed.order), outcome=outcome, filled_quantity=failed.filled_quantity, reason=reason
    )
