"""The day's report from a real PostgreSQL, written by the ledger's own code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update as sql_update
from sqlalchemy.ext.asyncio import AsyncEngine

from faust_app.runtime import schema
from faust_app.runtime.audit import record
from faust_app.runtime.codec import encode, event_time, root
from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.day_report import AccountDay, read_report, recorded_days
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic, TopicName
from models.messages.control import TradingState, TradingStateChanged
from models.messages.orders import OrderStatus, OrderSubmitted, Side
from models.messages.portfolio import PortfolioSnapshot, SnapshotCause
from models.messages.reconciliation import DifferenceState, OpenDifference, ReconciliationDifference
from models.messages.signals import AcceptedSignal, DeniedSignal
from models.rows.audit import AuditRow
from tests.factories import AT, filled, order, origin, signal, update

DAY = date(2026, 8, 20)
EARLIER = AT - 86_400


class Ledger:
    """Writes events as the ledger does, each under an id of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._number = 0

    async def write(self, topic: Topic, body: Any, at: int = AT, broker: str = "paper") -> None:
        self._number += 1
        envelope = root(body, message_id=f"{self._number}", broker=broker, key="k", source="s", at=event_time(at))
        async with transaction(self.engine) as connection:
            await record(connection, TopicName(topic, broker, is_dlq=False), encode(envelope), ("t", 0, self._number))


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    await schema.migrate(settings)
    engine = create_engine(settings)
    yield Ledger(engine)
    await engine.dispose()


def snapshot(fills: int, at: int, *, realised: str, unrealised: str, charges: str, **values: Any) -> PortfolioSnapshot:
    worth = Decimal(1_000_000) + Decimal(realised) + Decimal(unrealised) - Decimal(charges)
    money = {"realised": Decimal(realised), "unrealised": Decimal(unrealised), "charges": Decimal(charges)}
    defaults: dict[str, Any] = {
        "account": "paper:main",
        "cause": SnapshotCause.MARK,
        "start_cash": Decimal(1_000_000),
        "cash": worth,
        "position_value": Decimal(0),
        "equity": worth,
    }
    return PortfolioSnapshot(fills=fills, event_time=at, **{**defaults, **money, **values})


async def account(settings: Settings) -> AccountDay:
    (found,) = (await read_report(settings, DAY)).accounts
    return found


async def test_money_is_what_the_day_has_changed(settings: Settings, ledger: Ledger) -> None:
    for fills, at, realised, unrealised, charges in (
        (3, EARLIER, "90", "5", "9"),
        (4, EARLIER + 60, "100", "-20", "10"),
        (5, AT, "0", "0", "11"),
        (6, AT + 60, "350.50", "30", "25.25"),
        (7, AT + 86_400, "999", "999", "999"),
    ):
        body = snapshot(fills, at, realised=realised, unrealised=unrealised, charges=charges)
        await ledger.write(Topic.PNL_SNAPSHOTS, body, at)
    found = await account(settings)
    changes = (found.realised, found.unrealised, found.charges)
    assert changes == (Decimal("250.50"), Decimal(50), Decimal("15.25"))
    assert found.net == Decimal("285.25") == found.realised + found.unrealised - found.charges
    assert found.equity == Decimal("1000355.25")


async def test_an_accounts_first_day_begins_with_its_cash(settings: Settings, ledger: Ledger) -> None:
    await ledger.write(Topic.PNL_SNAPSHOTS, snapshot(1, AT, realised="-40", unrealised="15", charges="3.5"))
    found = await account(settings)
    assert (found.net, found.realised, found.unrealised) == (Decimal("-28.5"), Decimal(-40), Decimal(15))


async def test_slippage_is_positive_when_worse_whichever_the_side(settings: Settings, ledger: Ledger) -> None:
    """Bought 10 at 1503 instead of 1500 is 30 rupees, sold 5 at 1990 instead of 2000 is 50: 80 of 25,000 are 32 bp."""
    raised = signal(signal_id="s1")
    sold = signal(signal_id="s2", side=Side.SELL, origin=origin(price=Decimal(2000)))
    await ledger.write(Topic.SIGNALS_RAW, raised)
    await ledger.write(Topic.SIGNALS_RAW, sold)
    entry = order(order_id="o1", signal_id="s1")
    exit_of_entry = order(order_id="o2", signal_id="s1", side=Side.SELL, oco_group="o1")
    other = order(order_id="o3", signal_id="s2", side=Side.SELL, quantity=5)
    without = order(order_id="o4", signal_id="never recorded")
    for number, body in enumerate(
        (
            filled(entry, 10, "1503", 10),
            filled(exit_of_entry, 10, "1400", 10),
            filled(other, 5, "1990", 5),
            filled(without, 1, "100", 1),
        )
    ):
        await ledger.write(Topic.ORDERS_FILLED, body, AT + number)
    found = await account(settings)
    assert (found.fills, found.measured_fills) == (4, 2)
    assert found.slippage == Decimal(80)
    assert found.slippage_basis_points == Decimal("32.00")
    assert found.turnover == Decimal(15_030 + 14_000 + 9_950 + 100)


async def test_a_signal_recorded_after_its_decision_is_measured_too(settings: Settings, ledger: Ledger) -> None:
    """The ledger reads topics side by side: any of them may come first."""
    bought = order(signal_id="s1")
    accepted = AcceptedSignal(
        signal_id="s1", account="paper:main", strategy="momentum", orders=(bought,), origin=origin()
    )
    await ledger.write(Topic.SIGNALS_VALIDATED, accepted)
    await ledger.write(Topic.ORDERS_FILLED, filled(bought, 10, "1503", 10))
    await ledger.write(Topic.SIGNALS_RAW, signal(signal_id="s1"))
    found = await account(settings)
    assert (found.measured_fills, found.slippage) == (1, Decimal(30))


async def test_a_better_price_is_negative_slippage(settings: Settings, ledger: Ledger) -> None:
    await ledger.write(Topic.SIGNALS_RAW, signal(signal_id="s1"))
    await ledger.write(Topic.ORDERS_FILLED, filled(order(signal_id="s1"), 10, "1499.50", 10))
    found = await account(settings)
    assert (found.slippage, found.slippage_basis_points) == (Decimal(-5), Decimal("-3.33"))


async def test_a_fill_that_comes_again_counts_once(settings: Settings, ledger: Ledger) -> None:
    await ledger.write(Topic.SIGNALS_RAW, signal(signal_id="s1"))
    body = filled(order(signal_id="s1"), 10, "1501", 10)
    await ledger.write(Topic.ORDERS_FILLED, body)
    ledger._number -= 1  # the same message
    await ledger.write(Topic.ORDERS_FILLED, body)
    assert (await account(settings)).fills == 1


async def test_denials_are_by_code_and_those_of_other_days_are_not_counted(settings: Settings, ledger: Ledger) -> None:
    denials = [("a", "order_rate", AT), ("b", "order_rate", AT), ("c", "stale_feed", AT), ("d", "order_rate", EARLIER)]
    for number, code, at in denials:
        asked = signal(signal_id=number)
        body = DeniedSignal(
            signal_id=number, account="paper:main", strategy="momentum", instrument="NSE:INFY", code=code,
            message="no", signal=asked,
        )  # fmt: skip
        await ledger.write(Topic.SIGNALS_REJECTED, body, at)
        await ledger.write(Topic.SIGNALS_REJECTED, body, at)
    assert (await account(settings)).denials == {"order_rate": 2, "stale_feed": 1}


async def test_unknown_orders_and_differences_are_counted_and_what_is_still_open(
    settings: Settings, ledger: Ledger
) -> None:
    for number in ("o1", "o2"):
        sent = order(order_id=number)
        await ledger.write(Topic.ORDERS_SUBMITTED, OrderSubmitted(order=sent))
        for _ in range(2):
            await ledger.write(Topic.ORDERS_UPDATES, update(OrderStatus.UNKNOWN, of=sent))
    await ledger.write(Topic.ORDERS_UPDATES, update(OrderStatus.WORKING, of=order(order_id="o2")), AT + 5)
    for key, state, at in (
        ("k1", DifferenceState.APPEARED, AT),
        ("k2", DifferenceState.APPEARED, AT),
        ("k1", DifferenceState.RESOLVED, AT + 9),
    ):
        found = OpenDifference(
            key=key, kind="position_missing", subject="x", severity="warning", ours="1", theirs="0", value="v", since=AT
        )
        body = ReconciliationDifference(account="paper:main", state=state, difference=found, at=at)
        await ledger.write(Topic.RECONCILIATION, body, at)
    await ledger.write(Topic.PNL_SNAPSHOTS, snapshot(1, AT, realised="0", unrealised="0", charges="0"))
    day = await account(settings)
    assert (day.unknown, day.unknown_open, day.differences, day.differences_open) == (2, 1, 2, 1)


async def test_halts_are_those_of_the_day_or_of_when_a_sandboxs_day_was_written(
    settings: Settings, ledger: Ledger
) -> None:
    """The first is of that day; the second was given while its events were written; the third long before both."""
    await ledger.write(Topic.PNL_SNAPSHOTS, snapshot(1, AT, realised="0", unrealised="0", charges="0"))
    now = int(datetime.now(UTC).timestamp())
    for revision, (state, at) in enumerate(
        (
            (TradingState.HALTED, AT + 100),
            (TradingState.REDUCING, now),
            (TradingState.HALTED, EARLIER - 86_400),
            (TradingState.ACTIVE, AT + 200),
        )
    ):
        body = TradingStateChanged(scope="all", state=state, revision=revision, actor="asha", reason=f"r{revision}")
        await ledger.write(Topic.CONTROL_EVENTS, body, at)
    async with transaction(ledger.engine) as connection:
        written = datetime.now(UTC)
        widened = sql_update(AuditRow).where(AuditRow.topic == "pnl.snapshots")
        await connection.execute(widened.values(recorded_at=written + timedelta(minutes=1)))
    await ledger.write(Topic.PNL_SNAPSHOTS, snapshot(2, AT + 1, realised="0", unrealised="0", charges="0"), AT + 1)
    async with transaction(ledger.engine) as connection:
        earlier = sql_update(AuditRow).where(AuditRow.event_id == f"{ledger._number}")
        await connection.execute(earlier.values(recorded_at=written - timedelta(minutes=1)))
    assert [one.reason for one in (await read_report(settings, DAY)).halts] == ["r0", "r1"]


async def test_a_day_begins_and_ends_at_midnight_in_india(settings: Settings, ledger: Ledger) -> None:
    """18:30 UTC is midnight IST."""
    midnight = int(datetime(2026, 8, 20, 18, 30, tzinfo=UTC).timestamp())
    await ledger.write(
        Topic.PNL_SNAPSHOTS, snapshot(1, midnight - 1, realised="7", unrealised="0", charges="0"), midnight - 1
    )
    await ledger.write(Topic.PNL_SNAPSHOTS, snapshot(2, midnight, realised="9", unrealised="0", charges="0"), midnight)
    assert (await account(settings)).realised == Decimal(7)
    assert (await read_report(settings, date(2026, 8, 21))).accounts[0].realised == Decimal(2)
    assert await recorded_days(settings) == (DAY, date(2026, 8, 21))


async def test_a_day_without_records_has_no_accounts(settings: Settings, ledger: Ledger) -> None:
    assert await recorded_days(settings) is None
    assert (await read_report(settings, DAY)).accounts == ()
