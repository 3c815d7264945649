"""`alpha-panda orders|positions|pnl`: what the ledger has written, from PostgreSQL alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from faust_app.commands.output import AsJson, run, show
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings, settings

Broker = Annotated[str | None, typer.Option(help="Only this broker.")]
ORDER_COLUMNS = (
    "occurred_at",
    "broker",
    "strategy",
    "instrument",
    "side",
    "order_type",
    "quantity",
    "filled_quantity",
    "average_price",
    "status",
    "reason",
    "order_id",
)
POSITION_MONEY = ("average_price", "mark", "realised", "unrealised", "day_pnl")
POSITION_COLUMNS = ("account", "strategy", "instrument", "product", "quantity", *POSITION_MONEY, "alarm")
PNL_COLUMNS = (
    *("account", "occurred_at", "cash", "realised", "unrealised", "charges", "equity"),
    *("day_pnl", "drawdown", "margin_used", "fills", "alarms"),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def orders(
        broker: Broker = None,
        status: Annotated[str | None, typer.Option(help="Only this status, for example filled.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 50,
        as_json: AsJson = False,
    ) -> None:
        """Orders, the newest first."""
        from models.messages.orders import OrderStatus

        config = _checked(broker)
        if status is not None and status not in list(OrderStatus):
            raise ConfigurationError(f"There is no status {status!r}; statuses: {', '.join(OrderStatus)}")
        rows = run(_orders(config, broker, status, limit))
        show(rows, ORDER_COLUMNS, as_json=as_json, empty="No orders")

    @app.command()
    def positions(broker: Broker = None, as_json: AsJson = False) -> None:
        """Open positions of every account, by strategy, from its latest snapshot.

        `day pnl` is what the position has made since the last close, before charges. An alarm needs a person: a
        contract that will end in delivery (delivery_near), one that has expired unsettled (expired), more deliveries
        sold than held (short_delivery), an intraday position left open over night (intraday_carried).
        """
        config = _checked(broker)
        rows = [
            {"account": snapshot["account"], **_money(position), "alarm": _alarm(snapshot, position)}
            for snapshot in run(latest_snapshots(config, broker))
            for position in snapshot["positions"]
            if position["quantity"]
        ]
        show(rows, POSITION_COLUMNS, as_json=as_json, empty="No open positions")

    @app.command()
    def pnl(broker: Broker = None, as_json: AsJson = False) -> None:
        """Cash, realised and unrealised P&L, charges and equity of every account.

        `day pnl` is since the last close, charges included; `drawdown` is below the most the account has been worth;
        `margin used` is an estimate of what positions tie up.
        """
        config = _checked(broker)
        rows = run(latest_snapshots(config, broker))
        if not as_json:
            rows = [{**row, "alarms": len(row["alarms"])} for row in rows]
        show(rows, PNL_COLUMNS, as_json=as_json, empty="No snapshots yet")


def _checked(broker: str | None) -> Settings:
    config = settings()
    if broker is not None and broker not in config.brokers:
        raise ConfigurationError(f"There is no broker {broker!r}; brokers: {', '.join(config.brokers)}")
    return config


async def query(config: Settings, statement: Any) -> list[dict[str, Any]]:
    """Rows of one statement as dictionaries."""
    from faust_app.runtime.database import create_engine, transaction

    engine = create_engine(config, pool_size=1)
    try:
        async with transaction(engine) as connection:
            rows = await connection.execute(statement)
            return [_plain(dict(row._mapping)) for row in rows]
    finally:
        await engine.dispose()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.normalize() if isinstance(value, Decimal) else value for name, value in row.items()}


def _money(position: dict[str, Any]) -> dict[str, Any]:
    return {**position, **{name: Decimal(position.get(name, 0)).normalize() for name in POSITION_MONEY}}


def _alarm(snapshot: dict[str, Any], position: dict[str, Any]) -> str | None:
    """What the snapshot says of a position that needs a person."""
    of = ("strategy", "instrument", "product")
    same = (alarm["kind"] for alarm in snapshot["alarms"] if all(alarm[name] == position[name] for name in of))
    return next(same, None)


async def _orders(config: Settings, broker: str | None, status: str | None, limit: int) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from models.rows.trading import OrderRow

    statement = select(OrderRow.__table__).order_by(OrderRow.occurred_at.desc(), OrderRow.order_id).limit(limit)
    if broker is not None:
        statement = statement.where(OrderRow.broker == broker)
    if status is not None:
        statement = statement.where(OrderRow.status == status)
    return await query(config, statement)


async def latest_snapshots(config: Settings, broker: str | None) -> list[dict[str, Any]]:
    """The newest snapshot of each account; of two at the same event time the one with more fills."""
    from sqlalchemy import select

    from models.rows.trading import NEWEST_FIRST, SnapshotRow

    statement = select(SnapshotRow.__table__).distinct(SnapshotRow.account).order_by(SnapshotRow.account, *NEWEST_FIRST)
    if broker is not None:
        statement = statement.where(SnapshotRow.broker == broker)
    return await query(config, statement)
