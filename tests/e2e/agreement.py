"""The same recording through a backtest, and what a finished replay wrote down, in comparable rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.hosts import EVERYTHING
from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.settings import PROJECT, Settings
from models.messages.signals import DeniedSignal
from models.rows.trading import NEWEST_FIRST, FillRow, OrderRow, SignalRow, SnapshotRow
from recordings.markets import open_market
from stack import infrastructure
from stack.supervisor import Supervisor
from trading.backtest.engine import Backtest, Setup
from trading.risk.groups import Result as Decided
from trading.risk.limits import Limits
from trading.strategies.registry import find


class Trading(NamedTuple):
    """Sorted rows of text: decisions, planned orders and fills, each with its event second; and the money."""

    decisions: list[tuple[str, ...]]
    orders: list[tuple[str, ...]]
    fills: list[tuple[str, ...]]
    money: tuple[str, ...]


def _texts(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    return sorted(tuple(_text(value) for value in row) for row in rows)


def _text(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _order(one: Any) -> tuple[Any, ...]:
    return (one.strategy, one.instrument, one.side, one.order_type, one.product, one.quantity, one.limit_price)


def _fill(one: Any) -> tuple[Any, ...]:
    return (one.strategy, one.instrument, one.side, one.quantity, one.price)


async def of_pipeline(settings: Settings) -> dict[str, Trading]:
    """What the ledger has, by broker, from the data a stopped `replay --keep` left."""
    state = settings.stack.state_directory
    at = infrastructure.any_endpoints(state)
    postgres = settings.postgres.model_validate({**settings.postgres.model_dump(), **at.overlay()["postgres"]})
    (tables,) = (state / "tables").iterdir()  # as the namespace is called
    kept = settings.model_copy(update={"postgres": postgres, "namespace": f"{tables.name}."})
    supervisor = Supervisor(state / "logs")
    try:
        await infrastructure.start(supervisor, state, at)
        engine = create_engine(kept, pool_size=1)
        async with transaction(engine) as connection:
            found = {broker: await _of_broker(connection, broker) for broker in settings.enabled_brokers}
        await engine.dispose()
    finally:
        await infrastructure.stop(supervisor)
        supervisor.close()
    return found


async def _of_broker(connection: AsyncConnection, broker: str) -> Trading:
    signals = await connection.execute(select(SignalRow).where(SignalRow.broker == broker))
    planned = await connection.execute(select(OrderRow).where(OrderRow.broker == broker))
    filled = await connection.execute(select(FillRow).where(FillRow.broker == broker))
    newest = select(SnapshotRow).where(SnapshotRow.broker == broker).order_by(*NEWEST_FIRST).limit(1)
    snapshot = (await connection.execute(newest)).one()
    return Trading(
        _texts([(_second(one), one.strategy, one.instrument, one.decision, one.code) for one in signals]),
        _texts([_order(one) for one in planned]),
        _texts([(_second(one), *_fill(one)) for one in filled]),
        _texts([(snapshot.cash, snapshot.realised, snapshot.charges, snapshot.fills)])[0],
    )


def _second(one: Any) -> int:
    return int(one.occurred_at.timestamp())


class _Noted(Backtest):
    """A backtest that also writes down what was decided."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.decided: list[tuple[Any, ...]] = []
        self.planned: list[tuple[Any, ...]] = []

    def _carry_out(self, result: Decided) -> None:
        if isinstance(result, DeniedSignal):
            self._note(result.signal.origin.event_time, result.strategy, result.instrument, "denied", result.code)
        else:
            first = result.orders[0]
            code = result.rest.code if result.rest is not None else None
            self._note(result.origin.event_time, result.strategy, first.instrument, "accepted", code)
            self.planned += [_order(one) for one in result.orders]
        super()._carry_out(result)

    def _note(self, *decision: Any) -> None:
        self.decided.append(decision)


def of_backtest(settings: Settings, recording: Path, symbols: int | None = None, day: date | None = None) -> Trading:
    """The same strategies, limits and money in one process."""
    market = open_market(recording, symbols)
    instruments = {one.instrument_token: one for one in market.instruments}
    rows = yaml.safe_load((PROJECT / settings.seed.strategies_file).read_text())
    strategies = {}
    for name, row in sorted(rows.items()):
        if not row.get("enabled", True):
            continue
        kind, keys = find(row["strategy"]), row.get("instruments", [EVERYTHING])
        chosen = {
            token: msgspec.structs.replace(one, group=name) if kind.joint else one
            for token, one in instruments.items()
            if one.is_tradable and (EVERYTHING in keys or one.key in keys)
        }
        strategies[name] = kind(kind.parameters_type(**row.get("parameters", {})), chosen)
    run = _Noted(
        Setup(
            strategies=strategies,
            instruments=instruments,
            limits=Limits.from_layers(settings.risk.model_dump()),
            start_cash=settings.brokers["paper"].start_cash,
            rules=settings.paper.rules(),
        )
    )
    for one in [day] if day is not None else market.days:
        for second, ticks in market.seconds(one):
            run.on_second(second, ticks)
    result = run.finish()
    return Trading(
        _texts(run.decided),
        _texts(run.planned),
        _texts([(one.at, *_fill(one)) for one in result.fills]),
        _texts([(result.account.cash, result.account.realised, result.account.charges, len(result.fills))])[0],
    )
