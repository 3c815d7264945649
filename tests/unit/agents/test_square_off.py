"""Square-off: which frames ask for it, what the runner says, and which exits the risk manager raises then."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from agents.hosts import HostedInstance
from agents.square_off import SquareOffClock
from agents.strategy_runner import StrategyRunner
from faust_app.runtime.codec import decode, decode_any, encode, encode_frame, root
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.topics import Topics
from models.messages.envelope import Envelope
from models.messages.orders import Product
from models.messages.signals import Intent, Signal, SquareOffDue
from models.messages.ticks import TickFrame
from tests.backtest_runs import Told
from tests.factories import ACCOUNT, AT, TOKEN, instrument
from tests.unit.agents.test_risk_manager import Manager, orders
from tests.unit.runtime.configurations import configured
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import square_off, trading_day
from trading.strategies.base import Parameters, Seen, Wish

INFY = instrument()
DUE = square_off(INFY, trading_day(AT)) or 0
PARTITION = Topics(configured()).partition(INFY.co_location_group)
RECEIVED_NS = 1_700_000_000_000_000_000
HOLIDAY = 1_786_765_800  # 2026-08-15, a Saturday, 09:20 IST


def frame(clock: int, run_id: str = "run", sequence: int = 1) -> TickFrame:
    return TickFrame(1, f"frame {clock}", run_id, sequence, clock, RECEIVED_NS, "shared", ())


def asks(*clocks: int, partition: int = PARTITION) -> list[bool]:
    """For each of the frames at these event seconds, whether it asks for a square-off."""
    clock = SquareOffClock(Topics(configured()).partition)
    clock.watch([INFY])
    return [clock.is_due(partition, frame(second)) for second in clocks]


def test_the_first_frame_of_each_minute_asks_from_the_square_off_on() -> None:
    assert asks(DUE - 60, DUE - 1, DUE, DUE + 1, DUE + 59, DUE + 63, DUE + 64) == [
        False, False, True, False, False, True, False,
    ]  # fmt: skip


def test_a_partition_without_instruments_and_a_day_without_trading_ask_for_nothing() -> None:
    assert asks(DUE, partition=PARTITION + 1) == [False]
    assert asks(HOLIDAY + 8 * 3600) == [False]


def test_each_partition_day_and_run_asks_for_itself() -> None:
    clock = SquareOffClock(lambda group: int(group == "B"))
    clock.watch([INFY, instrument(instrument_token=408_321, exchange_token=1595, tradingsymbol="TCS", group="B")])
    assert [clock.is_due(partition, frame(DUE)) for partition in (0, 1, 0)] == [True, True, False]
    assert clock.is_due(0, frame(DUE, "another run"))
    assert clock.is_due(0, frame(DUE + 86_400))
    assert not clock.is_due(0, frame(DUE + 86_400 + 17 * 3600))  # the next day, before its open


class Leaver(Told):
    """Wishes, with each new second, to be flat."""

    def __init__(self, *_: object) -> None:
        super().__init__(lambda _: (), lambda _: (Wish(instrument_token=TOKEN, intent=Intent.CLOSE),))

    def last_seen(self, instrument_token: int) -> Seen:
        return Seen(1, 15_000_000)


def runner() -> StrategyRunner:
    """The stage with one instance, on a table in memory."""
    settings = configured()
    worker: Any = SimpleNamespace(
        settings=settings, broker="shared", stage="strategy_runner", topics=Topics(settings), table=lambda *_: {}
    )
    made = StrategyRunner(worker)
    leaver = HostedInstance("leaver", Leaver, Parameters(), {TOKEN: INFY}, ("paper",), "1")
    made._registry, made._instances = InstrumentRegistry([INFY]), {"leaver": leaver}
    made._square_off.watch(made._registry)
    return made


async def said(made: StrategyRunner, clock: int, offset: int = 0) -> list[Envelope[Any]]:
    """What the runner sends because of a frame."""
    record = Record("market.ticks", PARTITION, offset, None, encode_frame(frame(clock, sequence=offset + 1)), {})
    return [decode_any(one.value) for one in (await made.on_frame(record)).outputs]


async def test_the_runner_says_it_ahead_of_what_strategies_wish() -> None:
    made = runner()
    assert [one.type for one in await said(made, DUE - 1)] == ["signal.raised"]
    *due, wish = await said(made, DUE, 1)
    assert [(one.broker, one.key) for one in due] == [("paper", ACCOUNT), ("zerodha", "zerodha:main")]
    assert due[0].data == SquareOffDue(
        account=ACCOUNT, run_id="run", partition=PARTITION, clock=DUE, received_ns=RECEIVED_NS
    )
    assert due[0].causation_id == f"frame {DUE}"
    assert wish.type == "signal.raised"
    assert [one.type for one in await said(made, DUE + 1, 2)] == ["signal.raised"]


async def test_another_runner_says_it_with_the_same_id() -> None:
    assert [one.id for one in await said(runner(), DUE)] == [one.id for one in await said(runner(), DUE)]


async def leave(manager: Manager, clock: int, *, partition: int = PARTITION, offset: int | None = None) -> Decision:
    """Tell the risk manager that intraday positions are due."""
    manager.offset = manager.offset + 1 if offset is None else offset
    due = SquareOffDue(account=ACCOUNT, run_id="run", partition=partition, clock=clock, received_ns=RECEIVED_NS)
    at = datetime.fromtimestamp(clock, UTC)
    envelope = root(due, message_id=f"due {clock}", broker="paper", key=ACCOUNT, source="runner", at=at)
    record = Record("paper.signals.raw", 0, manager.offset, ACCOUNT.encode(), encode(envelope), {})
    return await manager.made.on_signal(record)


def exits(decision: Decision) -> list[Signal]:
    assert {(one.topic, one.key) for one in decision.outputs} <= {("paper.signals.raw", ACCOUNT.encode())}
    return [decode(Signal, one.value).data for one in decision.outputs]


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    made = Manager(monkeypatch)
    made.restart()
    return made


async def test_the_exit_of_a_position_is_raised_and_follows_from_the_frame(manager: Manager) -> None:
    await manager.hold(10)
    decision = await leave(manager, DUE + 3)
    (signal,) = exits(decision)
    assert (signal.intent, signal.instrument, signal.product) == (Intent.CLOSE, INFY.key, Product.MIS)
    assert (signal.origin.event_time, signal.origin.received_ns) == (DUE, RECEIVED_NS)
    envelope = decode(Signal, decision.outputs[0].value)
    assert (envelope.id, envelope.causation_id) == (signal.signal_id, f"due {DUE + 3}")


async def test_it_is_raised_again_in_the_next_minute_and_not_once_flat(manager: Manager) -> None:
    await manager.hold(10)
    first, again, later = [exits(await leave(manager, DUE + second))[0].signal_id for second in (0, 30, 60)]
    assert first == again != later
    manager.exposure.account.positions.clear()
    assert exits(await leave(manager, DUE + 120)) == []


async def test_before_it_is_due_and_for_another_partition_nothing_is_raised(manager: Manager) -> None:
    await manager.hold(10)
    assert exits(await leave(manager, DUE - 1)) == []
    assert exits(await leave(manager, DUE, partition=PARTITION + 1)) == []


async def test_a_delivery_position_is_left_alone(manager: Manager) -> None:
    (one,) = orders(await manager.ask("buy", quantity=10, product=Product.CNC))
    assert one.product is Product.CNC
    assert exits(await leave(manager, DUE)) == []


async def test_a_redelivery_raises_the_same_again(manager: Manager) -> None:
    await manager.hold(10)
    first = await leave(manager, DUE)
    manager.restart()
    again = await leave(manager, DUE, offset=manager.offset)
    assert again.duplicate
    assert [one.value for one in again.outputs] == [one.value for one in first.outputs] != []
