"""What the log says of orders: every line names the order and its chain."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.order_lines import log_decision, log_failed, log_filled, log_submitted
from faust_app.runtime.settings import PROJECT
from models.messages.orders import OrderFailed, OrderStatus
from models.messages.signals import AcceptedSignal, DeniedSignal
from tests.factories import AT, filled, order, origin, signal

ORDER = order(frame_id="frame")
OF_ORDER = {"order_id": ORDER.order_id, "strategy": ORDER.strategy, "instrument": ORDER.instrument}
FAILED = OrderFailed(
    order=ORDER, broker_order_id="1", outcome=OrderStatus.REJECTED, filled_quantity=2, reason="no", event_time=AT
)
WITHOUT_CHAIN = {"update_of_unknown_order", "report_of_an_order_elsewhere"}  # nobody knows the order


def denied(**values: Any) -> DeniedSignal:
    known = {"account": "paper:main", "strategy": "momentum", "instrument": "NSE:INFY", "code": "trading_halted"}
    known["message"] = "Trading is halted"
    return DeniedSignal(signal_id="s", signal=signal(signal_id="s"), **known | values)


def told(write: Callable[[], None]) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        write()
    return [dict(line) for line in lines]


@pytest.mark.parametrize(
    ("write", "event", "more"),
    [
        (lambda: log_submitted([ORDER]), "order_submitted", {"side": ORDER.side, "quantity": ORDER.quantity}),
        (lambda: log_filled(filled(ORDER, 3, "100.5", 3)), "order_filled", {"quantity": 3, "price": "100.5"}),
        (lambda: log_failed(FAILED), "order_failed", {"outcome": "rejected", "filled_quantity": 2, "reason": "no"}),
    ],
)
def test_a_line_about_an_order_names_it_and_its_chain(
    write: Callable[[], None], event: str, more: dict[str, Any]
) -> None:
    (line,) = told(write)
    expected = {"event": event, "log_level": "info", "correlation_id": "frame", **OF_ORDER, **more}
    assert expected.items() <= line.items()


def test_a_fill_has_its_id() -> None:
    fill = filled(ORDER, 3, "100.5", 3)
    assert told(lambda: log_filled(fill))[0]["fill_id"] == fill.fill_id
    assert Decimal(told(lambda: log_filled(fill))[0]["price"]) == fill.price


def test_a_signal_accepted_in_part_has_a_line_for_each_part() -> None:
    accepted = AcceptedSignal(
        signal_id="s",
        account="paper:main",
        strategy="momentum",
        orders=(ORDER,),
        origin=origin(),
        rest=denied(is_rest=True),
    )
    first, second = told(lambda: log_decision(accepted))
    assert (first["event"], first["signal_id"], first["instrument"], first["orders"]) == (
        "signal_accepted", "s", ORDER.instrument, 1,
    )  # fmt: skip
    assert (second["event"], second["code"]) == ("signal_denied", "trading_halted")


def test_equal_denials_have_equal_lines() -> None:
    one, other = told(lambda: log_decision(denied())), told(lambda: log_decision(denied(message="else")))
    assert one == other


def test_every_line_that_names_an_order_names_its_chain() -> None:
    calls = re.compile(r"\blog\.\w+\(\s*\"(?P<event>\w+)\"[^)]*\border_id=", re.DOTALL)
    texts = (path.read_text() for path in (PROJECT / "agents").rglob("*.py"))
    assert {found["event"] for text in texts for found in calls.finditer(text)} <= WITHOUT_CHAIN
