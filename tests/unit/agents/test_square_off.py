"""Square-off raises each exit once a minute, and again when Kafka did not take it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents.square_off import SquareOff
from faust_app.runtime.codec import decode
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.topics import Topics
from models.messages.market import Mark, Marks
from models.messages.orders import Product
from models.messages.signals import Intent, Signal
from tables.journal import Output
from tests.factories import ACCOUNT, AT, exposure, filled, instrument, order
from tests.unit.runtime.configurations import configured
from trading.accounting.account import apply_fill
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import square_off, trading_day

INFY = instrument()


class Desk:
    """The square-off with one account that holds 10 INFY, and what it has sent."""

    def __init__(self, product: Product = Product.MIS) -> None:
        settings = configured()
        self.sent: list[Signal] = []
        self.takes = True
        self.exposure = exposure()
        one = order(quantity=10, product=product)
        apply_fill(self.exposure.account, filled(one, 10, "100", 10, event_time=AT), INFY)
        self.view = MarketView(settings, InstrumentRegistry((INFY,)))
        worker: Any = SimpleNamespace(
            settings=settings,
            broker="paper",
            stage="risk_manager",
            topics=Topics(settings),
            try_send=self._try_send,
        )
        self.square_off = SquareOff(worker, self.view, lambda: [(ACCOUNT, self.exposure)])

    async def _try_send(self, output: Output) -> bool:
        assert output.topic == "paper.signals.raw"
        assert output.key == ACCOUNT.encode()
        if self.takes:
            self.sent.append(decode(Signal, output.value).data)
        return self.takes

    async def look_at(self, clock: int) -> None:
        mark = Mark(INFY.instrument_token, 101 * 10_000, clock, "continuous")
        self.view.apply(Marks(run_id="run", clock=clock, marks=(mark,)))
        await self.square_off.look()


@pytest.fixture
def due() -> int:
    found = square_off(INFY, trading_day(AT))
    assert found is not None
    return found


async def test_an_intraday_position_is_closed_from_the_square_off_time_on(due: int) -> None:
    desk = Desk()
    await desk.look_at(due - 1)
    assert desk.sent == []
    await desk.look_at(due)
    (signal,) = desk.sent
    assert (signal.intent, signal.instrument, signal.product) == (Intent.CLOSE, INFY.key, Product.MIS)
    assert (signal.origin.event_time, signal.origin.price) == (due, 101)


async def test_it_is_asked_for_once_a_minute_until_it_is_flat(due: int) -> None:
    desk = Desk()
    for second in (0, 1, 59, 60, 119):
        await desk.look_at(due + second)
    assert [signal.origin.event_time - due for signal in desk.sent] == [0, 60]
    assert len({signal.signal_id for signal in desk.sent}) == 2
    desk.exposure.account.positions.clear()
    await desk.look_at(due + 180)
    assert len(desk.sent) == 2


async def test_what_kafka_did_not_take_is_raised_again_with_the_same_id(due: int) -> None:
    desk = Desk()
    desk.takes = False
    await desk.look_at(due)
    desk.takes = True
    await desk.look_at(due + 1)
    other = Desk()
    await other.look_at(due)
    assert [signal.signal_id for signal in desk.sent] == [signal.signal_id for signal in other.sent]


async def test_a_delivery_position_is_left_alone(due: int) -> None:
    desk = Desk(Product.CNC)
    await desk.look_at(due + 60)
    assert desk.sent == []
