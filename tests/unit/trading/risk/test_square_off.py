"""Which exits the square-off asks for, and when."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.messages.orders import Product, Side
from models.messages.signals import Intent, Signal
from tests.factories import ACCOUNT, AT, TOKEN, filled, instrument, order
from trading.accounting.account import Account, apply_fill, new_account
from trading.risk.square_off import square_offs

DUE = AT + 600


def account(*orders: dict[str, Any]) -> Account:
    """Positions that these orders have opened."""
    found = new_account(ACCOUNT, Decimal(1_000_000))
    for number, values in enumerate(orders):
        planned = order(**{"order_id": str(number), **values})
        apply_fill(found, filled(planned, planned.quantity, "1500", planned.quantity), instrument())
    return found


def asked(of: Account, clock: int, due: int | None = DUE, run_id: str = "run") -> list[Signal]:
    marks = {"NSE:INFY": Decimal(1510)}
    return list(square_offs(of, clock, lambda _token, _clock: due, marks, run_id=run_id, broker="paper"))


def test_an_intraday_position_is_closed_from_the_second_it_is_due() -> None:
    held = account({})
    assert asked(held, DUE - 1) == []
    (found,) = asked(held, DUE)
    assert (found.intent, found.product, found.instrument, found.instrument_token) == (
        Intent.CLOSE,
        Product.MIS,
        "NSE:INFY",
        TOKEN,
    )
    assert (found.account, found.strategy) == (ACCOUNT, "momentum")
    assert (found.origin.event_time, found.origin.clock, found.origin.price) == (DUE, DUE, Decimal(1510))


def test_within_a_minute_it_is_the_same_signal_and_in_the_next_another() -> None:
    held = account({})
    first, again, later = (asked(held, DUE + seconds)[0] for seconds in (0, 59, 60))
    assert again == first
    assert later.signal_id != first.signal_id
    assert later.origin.event_time == DUE + 60
    assert asked(held, DUE, run_id="another")[0].signal_id != first.signal_id


@pytest.mark.parametrize(
    "orders",
    [
        [{"product": Product.CNC}],
        [{"product": Product.NRML}],
        [{}, {"side": Side.SELL}],
        [],
    ],
    ids=["delivery", "carried", "flat", "nothing"],
)
def test_nothing_else_is_closed(orders: list[dict[str, Any]]) -> None:
    assert asked(account(*orders), DUE + 300) == []


def test_a_day_without_a_square_off_closes_nothing() -> None:
    assert asked(account({}), DUE, due=None) == []


def test_each_strategy_closes_its_own() -> None:
    held = account({"strategy": "one"}, {"strategy": "two", "side": Side.SELL})
    found = asked(held, DUE)
    assert [one.strategy for one in found] == ["one", "two"]
    assert len({one.signal_id for one in found}) == 2


def test_without_a_mark_it_says_the_average_price() -> None:
    (found,) = square_offs(account({}), DUE, lambda _token, _clock: DUE, {}, run_id="run", broker="paper")
    assert found.origin.price == Decimal(1500)
