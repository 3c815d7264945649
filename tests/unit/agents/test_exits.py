"""The risk manager leaves positions: what its timer says, what its agent raises, what follows a failed exit."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from faust_app.runtime.codec import decode, decode_any, encode, root
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.trading_state import Flattening
from models.messages.orders import OrderStatus
from models.messages.signals import ExitsDue, Intent, Signal
from tests.factories import ACCOUNT, filled, order
from tests.unit.agents.test_risk_manager import SELL, START, Manager, orders
from tests.unit.runtime.configurations import configured, with_live
from tests.unit.trading.risk.asking import failed

EVERYTHING = Flattening(revision=1, everything=True)
ONE = Flattening(revision=2, strategies=("momentum",))
NOBODY = Flattening()
DUE = 1_787_218_200  # 2026-08-20, 15:00 IST


class Leaver(Manager):
    """With a wish of the operator, and a clock that is set."""

    def restart(self) -> None:
        super().restart()
        self.made._exits.recovered()
        self.wish(EVERYTHING)
        self.at(START + 10)

    def wish(self, wanted: Flattening) -> None:
        self.monkeypatch.setattr(self.made._exits, "_trading_state", SimpleNamespace(flattening=lambda broker: wanted))

    def at(self, second: int) -> None:
        self.made._exits.clock.hear(second)

    async def due(self, due: ExitsDue, *, offset: int | None = None) -> Decision:
        self.offset = self.offset + 1 if offset is None else offset
        at = datetime.fromtimestamp(due.clock, UTC)
        envelope = root(due, message_id=f"due {due.clock}", broker="paper", key=ACCOUNT, source="risk_manager", at=at)
        record = Record("paper.signals.raw", 0, self.offset, ACCOUNT.encode(), encode(envelope), {})
        return await self.made.on_signal(record)

    async def said(self) -> ExitsDue:
        found = self.made._exits.due()
        assert found is not None
        return found


def raised(decision: Decision) -> list[Signal]:
    assert {(one.topic, one.key) for one in decision.outputs} <= {("paper.signals.raw", ACCOUNT.encode())}
    return [decode(Signal, one.value).data for one in decision.outputs]


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Leaver:
    return Leaver(monkeypatch)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Leaver:
    made = Leaver(monkeypatch)
    made.worker.settings = with_live(configured(kite={"root": "http://127.0.0.1:1"}), "paper")
    made.restart()
    return made


async def test_the_timer_speaks_while_there_is_something_to_leave(manager: Leaver) -> None:
    assert manager.made._exits.due() is None
    await manager.hold(10)
    due = await manager.said()
    assert (due.account, due.revision, due.everything, due.clock) == (ACCOUNT, 1, True, START + 10)
    (signal,) = raised(await manager.due(due))
    assert (signal.intent, signal.side, signal.quantity) == (Intent.REDUCE, SELL, 10)
    manager.wish(NOBODY)
    assert manager.made._exits.due() is None


async def test_the_timer_is_silent_while_an_exit_works(manager: Leaver) -> None:
    await manager.hold(10)
    (signal,) = raised(await manager.due(await manager.said()))
    await manager.send(signal, manager.offset + 1)
    manager.at(START + 20)
    assert manager.made._exits.due() is None


async def test_the_message_is_sent_to_the_manager_itself(manager: Leaver) -> None:
    sent: list[Any] = []

    async def send_all(outputs: Any) -> None:
        sent.extend(outputs)

    manager.worker.publisher = SimpleNamespace(send_all=send_all)
    await manager.hold(10)
    await manager.made._exits._say(await manager.said())
    (output,) = sent
    assert (output.topic, output.key) == ("paper.signals.raw", ACCOUNT.encode())
    assert decode_any(output.value).data == await manager.said()


async def test_a_redelivery_raises_the_same_again(manager: Leaver) -> None:
    await manager.hold(10)
    due = await manager.said()
    first = await manager.due(due)
    manager.restart()
    manager.wish(NOBODY)
    again = await manager.due(due, offset=manager.offset)
    assert again.duplicate
    assert [one.value for one in again.outputs] == [one.value for one in first.outputs] != []


@pytest.mark.parametrize("intraday", [True, False])
async def test_a_wish_that_has_ended_meanwhile_raises_nothing(manager: Leaver, intraday: bool) -> None:
    await manager.hold(10)
    due = ExitsDue(account=ACCOUNT, run_id="run", clock=START + 10, revision=1, everything=True, intraday=intraday)
    manager.wish(NOBODY)
    assert raised(await manager.due(due)) == []
    manager.wish(ONE)
    assert raised(await manager.due(due)) == [], "the wish of one strategy is another one"
    assert len(raised(await manager.due(await manager.said()))) == 1


async def test_a_simulated_account_leaves_intraday_positions_by_frames_alone(manager: Leaver) -> None:
    await manager.hold(10)
    manager.wish(NOBODY)
    manager.at(DUE + 600)
    assert manager.made._exits.due() is None


async def test_a_live_account_leaves_them_before_they_have_to_be_flat(live: Leaver) -> None:
    await live.hold(10)
    live.wish(NOBODY)
    begins = live.made._exits.begins(order().instrument_token, DUE)
    assert begins is not None
    live.at(begins - 1)
    assert live.made._exits.due() is None
    live.at(begins)
    due = await live.said()
    assert (due.intraday, due.revision, due.everything) == (True, 0, False)
    assert len(raised(await live.due(due))) == 1


async def fail(manager: Leaver, **values: Any) -> list[Signal]:
    """Leave ten, and hear how the exit ended."""
    await manager.hold(10)
    (exit_,) = orders(await manager.ask("leave", 5, intent=Intent.CLOSE, side=None, quantity=None))
    return raised(await manager.tell(failed(exit_, event_time=START + 15, **values)))


async def test_an_overdue_exit_of_a_live_account_is_followed_by_a_wider_one(live: Leaver) -> None:
    live.wish(NOBODY)
    (again,) = await fail(live, is_overdue=True)
    assert (again.intent, again.quantity, again.market_protection) == (Intent.REDUCE, 10, 1)
    assert len(orders(await live.send(again, live.offset + 1))) == 1


async def test_of_a_simulated_account_only_while_its_positions_are_closed(manager: Leaver) -> None:
    manager.wish(NOBODY)
    assert await fail(manager, is_overdue=True) == []
    assert manager.exposure.exit_tries == {}


@pytest.mark.parametrize("outcome", [OrderStatus.CANCELLED, OrderStatus.REJECTED])
async def test_an_exit_that_somebody_else_ended_is_not_followed(live: Leaver, outcome: OrderStatus) -> None:
    assert await fail(live, outcome=outcome) == []


async def test_what_is_left_is_told_in_words(manager: Leaver) -> None:
    await manager.hold(10)
    assert manager.made._exits.left() == ["momentum holds 10 NSE:INFY (MIS)"]
    manager.wish(NOBODY)
    assert manager.made._exits.left() == []


async def test_before_its_tables_are_recovered_it_says_nothing(manager: Leaver) -> None:
    await manager.hold(10)
    manager.made._exits._is_recovered = False
    assert manager.made._exits.left() is None
    assert manager.made._exits.due() is None
    await manager.made.forget()
    assert manager.made._exits.left() == ["momentum holds 10 NSE:INFY (MIS)"]
    assert manager.made._exits.due() is not None


async def test_a_flat_position_forgets_its_tries(live: Leaver) -> None:
    (again,) = await fail(live, is_overdue=True)
    (exit_,) = orders(await live.send(again, live.offset + 1))
    live.offset += 1
    assert live.exposure.exit_tries
    await live.tell(filled(exit_, 10, "1500", 10, event_time=START + 20))
    assert live.exposure.exit_tries == {}
