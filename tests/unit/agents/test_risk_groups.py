"""The risk manager decides the legs of a group together, once, and goes on after any redelivery."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from agents.risk_manager import RiskManager
from faust_app.runtime.codec import decode, encode, root
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.topics import Topics
from models.messages.control import TradingState
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from tests.factories import ACCOUNT, limits, origin
from tests.strategy_runs import OPEN, OTHER, PAIR
from tests.unit.runtime.configurations import configured
from tests.unit.trading.risk.asking import of, target
from trading.market.instruments import InstrumentRegistry


class Stage:
    """The stage on a table in memory, fed by hand, with nothing halted and limits given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        settings = configured()
        self.raw: dict[str, bytes] = {}
        self.worker: Any = SimpleNamespace(
            settings=settings,
            broker="paper",
            stage="risk_manager",
            topics=Topics(settings),
            table=lambda *_: self.raw,
        )
        self.given = limits(**given)
        self.monkeypatch = monkeypatch
        self.restart()

    def restart(self) -> None:
        """Another worker on the same table."""
        self.made = RiskManager(self.worker)
        self.made._registry = InstrumentRegistry(PAIR.values())
        book = SimpleNamespace(of_account=self.given, of_strategy=lambda name: self.given, ready=self._ready)
        self.monkeypatch.setattr(self.made, "_limits", book)
        self.monkeypatch.setattr(self.made._trading_state, "state_for", lambda *_: TradingState.ACTIVE)

    async def _ready(self) -> None:
        return None

    async def send(self, signal: Signal, offset: int) -> Decision:
        at = datetime.fromtimestamp(signal.origin.event_time, UTC)
        envelope = root(signal, message_id=signal.signal_id, broker="paper", key=ACCOUNT, source="runner", at=at)
        return await self.made.on_signal(Record("paper.signals.raw", 0, offset, ACCOUNT.encode(), encode(envelope), {}))


def leg(token: int, quantity: int, name: str = "leg") -> Signal:
    seen = origin(instrument_token=token, event_time=OPEN + 60, clock=OPEN + 60, price=Decimal(1500))
    return target(quantity, **of(PAIR[token]), signal_id=f"{name} {token}", group=f"{name}/2", origin=seen)


def bodies(decision: Decision) -> list[AcceptedSignal | DeniedSignal]:
    kinds = {"paper.signals.validated": AcceptedSignal, "paper.signals.rejected": DeniedSignal}
    return [decode(kinds[one.topic], one.value).data for one in decision.outputs]  # type: ignore[type-var]


async def test_the_first_leg_waits_and_the_second_brings_both_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    first = await stage.send(leg(408_065, -10), 1)
    assert first.outputs == []
    assert not first.duplicate
    stage.restart()
    second = await stage.send(leg(OTHER, 6), 2)
    assert [(type(one), one.signal_id) for one in bodies(second)] == [
        (AcceptedSignal, "leg 408065"),
        (AcceptedSignal, f"leg {OTHER}"),
    ]
    causes = [decode(AcceptedSignal, one.value).causation_id for one in second.outputs]
    assert causes == ["leg 408065", f"leg {OTHER}"]


async def test_what_was_accepted_is_reserved_for_both_legs(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    for number, (token, quantity) in enumerate(((408_065, -10), (OTHER, 6))):
        await stage.send(leg(token, quantity), number)
    await stage.send(leg(408_065, -10, "again"), 2)
    found = bodies(await stage.send(leg(OTHER, 6, "again"), 3))
    assert [one.code for one in found if isinstance(one, DeniedSignal)] == ["nothing_to_do", "nothing_to_do"]


async def test_a_denied_leg_denies_the_waiting_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, max_order_quantity=100)
    await stage.send(leg(408_065, -10), 1)
    found = bodies(await stage.send(leg(OTHER, 101), 2))
    assert [one.code for one in found if isinstance(one, DeniedSignal)] == ["group_incomplete", "quantity_limit"]


async def test_redelivered_legs_are_recognised_and_send_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    await stage.send(leg(408_065, -10), 1)
    assert (await stage.send(leg(408_065, -10), 1)).duplicate
    assert (await stage.send(leg(408_065, -10), 5)).outputs == []
    second = await stage.send(leg(OTHER, 6), 6)
    assert len(second.outputs) == 2
    again = await stage.send(leg(OTHER, 6), 6)
    assert again.duplicate
    assert [one.value for one in again.outputs] == [one.value for one in second.outputs]
