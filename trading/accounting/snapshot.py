"""The account as it is published."""

from __future__ import annotations

from decimal import Decimal

from models.messages.portfolio import PortfolioSnapshot, PositionSnapshot, SnapshotCause
from trading.accounting.account import Account
from trading.accounting.expiry import alarms
from trading.accounting.margin import RATES, MarginRates, margin_used
from trading.accounting.position import ZERO, Marks, Position, day_pnl, unrealised, value

ALARM_DAYS = 5


def snapshot(
    account: Account,
    marks: Marks,
    cause: SnapshotCause,
    event_time: int,
    alarm_days: int = ALARM_DAYS,
    rates: MarginRates = RATES,
) -> PortfolioSnapshot:
    """The account at these marks; positions that are flat are left out. Changes nothing."""
    held = [one for one in account.positions.values() if one.quantity]
    worth = sum((value(one, marks) for one in held), ZERO)
    equity = account.cash + worth
    peak = max(account.high_water_mark, equity)
    return PortfolioSnapshot(
        account=account.account,
        cause=cause,
        event_time=event_time,
        start_cash=account.start_cash,
        cash=account.cash,
        position_value=worth,
        realised=account.realised,
        unrealised=sum((unrealised(one, marks) for one in held), ZERO),
        charges=account.charges,
        equity=equity,
        fills=account.fills,
        positions=tuple(_position(one, marks) for one in held),
        day_pnl=equity - account.day_start_equity,
        high_water_mark=peak,
        drawdown=peak - equity,
        margin_used=margin_used(account, marks, rates),
        alarms=alarms(account, alarm_days),
    )


def _position(position: Position, marks: Marks) -> PositionSnapshot:
    return PositionSnapshot(
        strategy=position.strategy,
        instrument=position.instrument,
        product=position.product,
        quantity=position.quantity,
        average_price=position.average_price,
        mark=_mark(position, marks),
        realised=position.realised,
        unrealised=unrealised(position, marks),
        overnight_quantity=position.overnight_quantity,
        day_buy_quantity=position.day_buy_quantity,
        day_sell_quantity=position.day_sell_quantity,
        day_pnl=day_pnl(position, marks),
    )


def _mark(position: Position, marks: Marks) -> Decimal:
    mark = marks.get(position.instrument, position.mark)
    return position.average_price if mark is None else mark
