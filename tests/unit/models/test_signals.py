"""What a signal may say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from models.messages.orders import OrderType, Side, Validity
from models.messages.signals import Intent, Signal
from tests import factories as build
from trading.strategies.base import Wish


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"intent": Intent.OPEN, "side": None}, "An open signal needs a side and a quantity"),
        ({"intent": Intent.OPEN, "quantity": None}, "An open signal needs a side and a quantity"),
        ({"intent": Intent.TARGET, "target_quantity": None}, "A target signal needs a target quantity"),
        ({"order_type": OrderType.LIMIT}, "A LIMIT order needs a limit price"),
        ({"limit_price": Decimal(1)}, "A MARKET order has no limit price"),
        ({"trigger_price": Decimal(1)}, "A MARKET order has no trigger price"),
        ({"order_type": OrderType.SL, "trigger_price": Decimal(1)}, "A SL order needs a limit price"),
        ({"order_type": OrderType.SL_M}, "A SL-M order needs a trigger price"),
        (
            {"order_type": OrderType.SL, "trigger_price": Decimal(2), "limit_price": Decimal(1)},
            "The limit of 1 is below the trigger of 2: it could never fill",
        ),
        ({"validity": Validity.TTL}, "A signal with validity TTL needs its minutes"),
        (
            {"stop_loss": Decimal(9), "target": Decimal(9)},
            "A BUY with a stop loss of 9 cannot have its target at 9",
        ),
        (
            {"intent": Intent.CLOSE, "stop_loss": Decimal(9)},
            "A stop loss and a target go with an entry, not with an exit",
        ),
        ({"intent": Intent.REDUCE, "quantity": None}, "A reduce signal needs a side and a quantity"),
        ({"intent": Intent.REDUCE, "side": None}, "A reduce signal needs a side and a quantity"),
        (
            {"intent": Intent.REDUCE, "target": Decimal(9)},
            "A stop loss and a target go with an entry, not with an exit",
        ),
        ({"market_protection": Decimal(0)}, "market_protection is 0, it must be -1 or a percentage"),
    ],
)
class TestContradictions:
    """The same rule holds for a strategy's wish, so that the error shows in the strategy that makes it."""

    def test_a_signal_that_contradicts_itself_is_refused(self, changes: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            build.signal(**changes)

    def test_it_is_refused_on_the_wire_too(self, changes: dict[str, Any], sentence: str) -> None:
        document = msgspec.to_builtins(build.signal(), str_keys=True) | msgspec.to_builtins(changes)
        with pytest.raises(msgspec.ValidationError, match=sentence):
            msgspec.json.decode(msgspec.json.encode(document), type=Signal)

    def test_a_wish_that_contradicts_itself_is_refused(self, changes: dict[str, Any], sentence: str) -> None:
        values = {"instrument_token": 1, "intent": Intent.OPEN, "side": Side.BUY, "quantity": 1}
        with pytest.raises(ValueError, match=sentence):
            Wish(**{**values, **changes})


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1e16"])
def test_a_wish_with_an_absurd_limit_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="limit_price"):
        Wish(
            instrument_token=1,
            intent=Intent.CLOSE,
            order_type=OrderType.LIMIT,
            limit_price=Decimal(price),
        )


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_wish_for_no_quantity_is_refused(quantity: int) -> None:
    with pytest.raises(ValueError, match=f"quantity is {quantity}"):
        Wish(instrument_token=1, intent=Intent.OPEN, side=Side.BUY, quantity=quantity)


def test_a_close_needs_nothing_more() -> None:
    assert build.signal(intent=Intent.CLOSE, side=None, quantity=None).intent is Intent.CLOSE


def test_a_target_may_be_zero_or_short() -> None:
    assert [build.signal(intent=Intent.TARGET, target_quantity=target).target_quantity for target in (0, -5)] == [0, -5]
