"""The portfolio manager: fills booked once, days rolled at their closing prices, peaks and alarms."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from agents.portfolio_manager import PortfolioManager
from faust_app.runtime import metrics
from faust_app.runtime.codec import decode, encode, root
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.topics import Topics
from models.messages.market import Mark, Marks
from models.messages.orders import OrderFilled, Product, Side
from models.messages.portfolio import AlarmKind, PortfolioSnapshot
from tests.factories import ACCOUNT, AT, filled, instrument, order
from tests.unit.runtime.configurations import configured
from tests.unit.trading.accounting.books import contract
from trading.accounting.account import Account
from trading.market.instruments import InstrumentRegistry

DAY = 86_400
INFY = instrument()
FUTURE = contract("FUT", name="RELIANCE")


class Stage:
    """The stage on a table in memory, fed by hand."""

    def __init__(self) -> None:
        settings = configured()
        self.raw: dict[str, bytes] = {}
        worker: Any = SimpleNamespace(
            settings=settings,
            broker="paper",
            stage="portfolio_manager",
            topics=Topics(settings),
            table=lambda *_: self.raw,
        )
        self.made: Any = PortfolioManager(worker)
        self.made._registry = self.made._view.registry = InstrumentRegistry((INFY, FUTURE))
        self.offset = 0

    def marks(self, clock: int, *found: tuple[int, int]) -> None:
        """Prices in rupees by token."""
        marks = tuple(Mark(token, price * 10_000, clock, "continuous") for token, price in found)
        self.made._view.apply(Marks(run_id="run", clock=clock, marks=marks))

    async def fill(self, fill: OrderFilled, offset: int | None = None) -> Decision:
        self.offset = self.offset + 1 if offset is None else offset
        at = datetime.fromtimestamp(fill.event_time, UTC)
        envelope = root(fill, message_id=fill.fill_id, broker="paper", key=ACCOUNT, source="engine", at=at)
        record = Record("paper.orders.filled", 0, self.offset, ACCOUNT.encode(), encode(envelope), {})
        decision: Decision = await self.made.on_filled(record)
        return decision

    @property
    def account(self) -> Account:
        (found,) = [account for _, account in self.made._table.states()]
        return found  # type: ignore[no-any-return]


def snapshot_of(decision: Decision) -> PortfolioSnapshot:
    (output,) = decision.outputs
    return decode(PortfolioSnapshot, output.value).data


def a_fill(name: str, quantity: int = 10, price: str = "100", at: int = AT, **values: Any) -> OrderFilled:
    one = order(order_id=name, quantity=quantity, **values)
    return filled(one, quantity, price, quantity, event_time=at)


async def test_a_fill_is_booked_and_published_once() -> None:
    stage = Stage()
    stage.marks(AT, (INFY.instrument_token, 110))
    body = snapshot_of(await stage.fill(a_fill("a")))
    assert (body.fills, body.positions[0].quantity, body.unrealised) == (1, 10, 100)
    redelivered = await stage.fill(a_fill("a"), offset=1)
    assert redelivered.duplicate
    assert snapshot_of(redelivered) == body
    elsewhere = await stage.fill(a_fill("a"), offset=7)
    assert elsewhere.duplicate
    assert elsewhere.outputs == []
    assert stage.account.fills == 1


async def test_a_day_begins_at_the_prices_at_which_the_last_one_ended() -> None:
    stage = Stage()
    stage.marks(AT, (INFY.instrument_token, 100))
    charged = snapshot_of(await stage.fill(a_fill("a"))).charges
    stage.marks(AT + 60, (INFY.instrument_token, 105))
    stage.marks(AT + DAY, (INFY.instrument_token, 120))
    body = snapshot_of(await stage.fill(a_fill("b", price="120", at=AT + DAY)))
    assert stage.account.day == "2026-08-21"
    assert body.day_pnl == 10 * (120 - 105) - (body.charges - charged)
    assert (body.positions[0].overnight_quantity, body.positions[0].day_buy_quantity) == (10, 10)


async def test_marks_of_a_new_day_roll_what_is_published_and_not_what_is_stored() -> None:
    stage = Stage()
    stage.marks(AT, (INFY.instrument_token, 100))
    await stage.fill(a_fill("a"))
    stage.marks(AT + DAY, (INFY.instrument_token, 103))
    body = stage.made._snapshot_on_marks(stage.account)
    assert (body.day_pnl, body.positions[0].overnight_quantity) == (30, 10)
    assert stage.account.day == "2026-08-20"


async def test_the_highest_equity_published_between_fills_counts() -> None:
    stage = Stage()
    stage.marks(AT, (INFY.instrument_token, 100))
    await stage.fill(a_fill("a"))
    stage.marks(AT + 1, (INFY.instrument_token, 150))
    peak = stage.made._snapshot_on_marks(stage.account).equity
    stage.marks(AT + 2, (INFY.instrument_token, 120))
    body = stage.made._snapshot_on_marks(stage.account)
    assert (body.high_water_mark, body.drawdown) == (peak, 300)
    stage.marks(AT + 3, (INFY.instrument_token, 100))
    body = snapshot_of(await stage.fill(a_fill("b", at=AT + 3)))
    assert body.high_water_mark == stage.account.high_water_mark == peak


async def test_alarms_are_published_counted_and_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from agents import portfolio_manager

    said: list[dict[str, Any]] = []
    monkeypatch.setattr(portfolio_manager.log, "warning", lambda _, **values: said.append(values), raising=False)
    stage = Stage()
    stage.marks(AT, (FUTURE.instrument_token, 1400))
    fill = a_fill(
        "a", 500, "1400", instrument=FUTURE.key, instrument_token=FUTURE.instrument_token, product=Product.NRML
    )
    decision = await stage.fill(fill)
    body = snapshot_of(decision)
    assert [alarm.kind for alarm in body.alarms] == [AlarmKind.DELIVERY_NEAR]
    gauge = metrics.ACCOUNT_ALARMS.labels("paper", ACCOUNT, "delivery_near")
    assert decision.delivered is not None
    decision.delivered()
    assert gauge._value.get() == 1
    stage.made._published(body)
    assert [one["instrument"] for one in said] == [FUTURE.key]
    out = a_fill(
        "b",
        500,
        "1400",
        instrument=FUTURE.key,
        instrument_token=FUTURE.instrument_token,
        product=Product.NRML,
        side=Side.SELL,
    )
    flat = await stage.fill(out)
    assert flat.delivered is not None
    flat.delivered()
    assert gauge._value.get() == 0
    assert snapshot_of(flat).alarms == ()


async def test_figures_are_metrics_when_partitions_have_moved() -> None:
    stage = Stage()
    stage.marks(AT, (INFY.instrument_token, 100))
    await stage.fill(a_fill("a"))
    stage.marks(AT + 1, (INFY.instrument_token, 90))
    await stage.made.forget()
    drawdown = metrics.DRAWDOWN.labels("paper", ACCOUNT)._value.get()
    assert drawdown == pytest.approx(100 + float(stage.account.charges))
    assert metrics.PNL_DAY.labels("paper", ACCOUNT)._value.get() == pytest.approx(-drawdown)
