"""The risk manager on a table in memory: what is sent for a flip, and what a redelivery sends again."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from faust_app.runtime.codec import decode, encode, root
from faust_app.runtime.consume import Decision, Record
from models.messages import ids
from models.messages.control import TradingState
from models.messages.orders import OrderFailed, OrderFilled, PlannedOrder, Side
from models.messages.reconciliation import OpenDifference, ReconciliationRound
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from tests.factories import ACCOUNT, filled, instrument, origin, signal
from tests.strategy_runs import OPEN
from tests.unit.agents.test_risk_groups import Stage
from tests.unit.trading.risk.asking import failed
from trading.market.instruments import InstrumentRegistry
from trading.risk.exposure import Exposure

BUY, SELL = Side.BUY, Side.SELL
START = OPEN + 60


class Manager(Stage):
    """One more message at a time, at an offset of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        super().__init__(monkeypatch, **given)
        self.offset = 0

    def restart(self) -> None:
        super().restart()
        self.made._registry = self.made._view.registry = InstrumentRegistry([instrument()])

    def state(self, state: TradingState) -> None:
        self.monkeypatch.setattr(self.made._trading_state, "state_for", lambda *_: state)

    async def ask(self, name: str, second: int = 0, *, offset: int | None = None, **values: Any) -> Decision:
        at = origin(event_time=START + second, clock=START + second, price=Decimal(1500))
        self.offset = self.offset + 1 if offset is None else offset
        return await self.send(signal(signal_id=name, origin=at, **values), self.offset)

    async def tell(self, body: OrderFilled | OrderFailed) -> Decision:
        self.offset += 1
        name = f"{type(body).__name__}-{self.offset}"
        at = datetime.fromtimestamp(body.event_time, UTC)
        envelope = root(body, message_id=name, broker="paper", key=ACCOUNT, source="engine", at=at)
        record = Record("paper.orders.x", 0, self.offset, ACCOUNT.encode(), encode(envelope), {})
        return await (self.made.on_filled if isinstance(body, OrderFilled) else self.made.on_failed)(record)

    @property
    def exposure(self) -> Exposure:
        found = self.made._table.row(ACCOUNT)
        assert found is not None
        return found[1]

    async def hold(self, quantity: int) -> None:
        """Buy so many, and let them fill."""
        (one,) = orders(await self.ask(f"buy {quantity}", quantity=quantity))
        await self.tell(filled(one, quantity, "1500", quantity, event_time=START + 1))


def orders(decision: Decision) -> tuple[PlannedOrder, ...]:
    return decode(AcceptedSignal, decision.outputs[0].value).data.orders


def standing(manager: Manager) -> tuple[int, int]:
    """Held, and what works."""
    return (
        sum(one.quantity for one in manager.exposure.account.positions.values()),
        sum(one.side.sign * one.remaining for one in manager.exposure.open_orders.values()),
    )


async def test_a_flip_while_reducing_is_one_acceptance_and_one_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(monkeypatch)
    await manager.hold(100)
    manager.state(TradingState.REDUCING)
    decision = await manager.ask("flip", 5, side=SELL, quantity=150)
    accepted, denied = decision.outputs
    assert (accepted.topic, denied.topic) == ("paper.signals.validated", "paper.signals.rejected")
    first, second = decode(AcceptedSignal, accepted.value), decode(DeniedSignal, denied.value)
    assert (first.id, second.id) == (ids.decision_id("flip"), ids.rest_id("flip"))
    assert {one.causation_id for one in (first, second)} == {"flip"}
    assert [(one.side, one.quantity, one.reduces) for one in first.data.orders] == [(SELL, 100, True)]
    assert first.data.rest == second.data
    assert (second.data.code, second.data.is_rest) == ("reducing_only", True)
    assert standing(manager) == (100, -100)


async def test_a_flip_while_active_is_one_acceptance_of_both_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(monkeypatch)
    await manager.hold(100)
    decision = await manager.ask("flip", 5, side=SELL, quantity=150)
    assert len(decision.outputs) == 1
    assert [(one.quantity, one.reduces) for one in orders(decision)] == [(100, True), (50, False)]
    assert standing(manager) == (100, -150)


async def test_a_redelivery_sends_the_same_again_and_reserves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(monkeypatch)
    await manager.hold(100)
    manager.state(TradingState.REDUCING)
    first = await manager.ask("flip", 5, side=SELL, quantity=150)
    manager.restart()
    manager.state(TradingState.ACTIVE)  # it would be decided otherwise now
    again = await manager.ask("flip", 5, side=SELL, quantity=150, offset=manager.offset)
    assert again.outputs == first.outputs
    assert again.duplicate
    assert standing(manager) == (100, -100)
    elsewhere = await manager.ask("flip", 5, side=SELL, quantity=150)
    assert (elsewhere.outputs, elsewhere.duplicate) == ([], True)


async def test_fills_and_ends_free_what_they_had_reserved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(monkeypatch)
    (one,) = orders(await manager.ask("entry"))
    for _ in range(2):
        await manager.tell(filled(one, 4, "1500", 4, event_time=START + 1))
        assert standing(manager) == (4, 6)
    for _ in range(2):
        await manager.tell(failed(one, 4, event_time=START + 2))
        assert standing(manager) == (4, 0)
    await manager.tell(filled(one, 4, "1500", 4, event_time=START + 1))
    assert standing(manager) == (4, 0)


async def test_an_instrument_nobody_knows_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(monkeypatch)
    decision = await manager.ask("entry", instrument_token=7)
    assert decode(DeniedSignal, decision.outputs[0].value).data.code == "instrument_unknown"
    with pytest.raises(LookupError, match="No instrument has token 7"):
        await manager.tell(filled(unknown(), 1, "1500", 1))


def unknown() -> PlannedOrder:
    from tests.factories import order

    return order(instrument_token=7)


async def test_the_account_is_marked_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.messages.market import Mark, Marks

    manager = Manager(monkeypatch, max_daily_loss=Decimal(1000))
    await manager.hold(100)
    for price, code in ((1491, None), (1489, "daily_loss")):
        mark = Mark(instrument().instrument_token, price * 10_000, START + 2, "continuous")
        manager.made._view.apply(Marks(run_id="run", clock=START + 2, marks=(mark,)))
        decision = await manager.ask(f"entry {price}", 5 + price, quantity=1)
        body: Any = decode(AcceptedSignal if code is None else DeniedSignal, decision.outputs[0].value).data
        assert getattr(body, "code", None) == code
    assert manager.exposure.account.high_water_mark == 1_000_000
    assert isinstance(body.signal, Signal)


async def agree(manager: Manager, *found: OpenDifference) -> None:
    """A comparison with the broker has left these differences."""
    manager.offset += 1
    body = ReconciliationRound(account=ACCOUNT, at=START, number=manager.offset, open=found)
    at = datetime.fromtimestamp(START, UTC)
    envelope = root(body, message_id=f"round-{manager.offset}", broker="paper", key=ACCOUNT, source="engine", at=at)
    record = Record("paper.reconciliation", 0, manager.offset, ACCOUNT.encode(), encode(envelope), {})
    await manager.made.on_reconciliation(record)


def differs(severity: str, instrument: str = "NSE:INFY", *, is_accepted: bool = False) -> OpenDifference:
    return OpenDifference(
        key="k", kind="k", subject="s", severity=severity, instrument=instrument, ours="1", theirs="2", value="-1",
        since=START, is_accepted=is_accepted,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "is_denied"),
    [
        ((), False),
        ((differs("warning"),), False),
        ((differs("blocks_instrument"),), True),
        ((differs("blocks_instrument", is_accepted=True),), False),
        ((differs("blocks_instrument", "NSE:TCS"),), False),
        ((differs("blocks_account", "NSE:TCS"),), True),
        ((differs("blocks_account", is_accepted=True), differs("blocks_instrument", "NSE:TCS")), False),
    ],
)
async def test_entries_wait_for_agreement_with_the_broker_and_exits_do_not(
    monkeypatch: pytest.MonkeyPatch, found: tuple[OpenDifference, ...], is_denied: bool
) -> None:
    manager = Manager(monkeypatch)
    await manager.hold(100)
    await agree(manager, *found)
    manager.restart()
    (entry,) = (await manager.ask("entry", 5, quantity=10)).outputs
    assert (entry.topic == "paper.signals.rejected") is is_denied
    if is_denied:
        assert decode(DeniedSignal, entry.value).data.code == "reconciliation_difference"
    (leave,) = (await manager.ask("exit", 10, side=SELL, quantity=50)).outputs
    assert leave.topic == "paper.signals.validated"
    await agree(manager)
    (again,) = (await manager.ask("again", 15, quantity=10)).outputs
    assert again.topic == "paper.signals.validated"
