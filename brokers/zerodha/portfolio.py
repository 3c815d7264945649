"""Kite's trades, positions, holdings and funds in the words of every broker. Source: Kite Connect documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec.structs import replace

from brokers.zerodha.mapping import (
    BadRow,
    Row,
    read_count,
    read_decimal,
    read_order,
    read_quantity,
    read_text,
    read_time,
)
from models.messages.orders import Side
from trading.reconciliation.book import (
    Area,
    BrokerBook,
    BrokerFunds,
    BrokerHolding,
    BrokerPosition,
    BrokerTrade,
    UnreadRow,
)

Read = TypeVar("Read")


def read_trade(row: Row) -> BrokerTrade:
    """One execution. Raises BadRow."""
    quantity, price, side = read_count(row, "quantity"), read_decimal(row, "average_price"), _side(row)
    if not quantity or price <= 0:
        raise BadRow("A trade has a quantity and a price")
    return BrokerTrade(
        trade_id=read_text(row, "trade_id", required=True),
        broker_order_id=read_text(row, "order_id", required=True),
        exchange=read_text(row, "exchange", required=True),
        tradingsymbol=read_text(row, "tradingsymbol", required=True),
        side=side,
        product=read_text(row, "product", required=True),
        quantity=quantity,
        price=price,
        traded_at=read_time(row.get("fill_timestamp")) or read_time(row.get("exchange_timestamp")),
    )


def read_position(row: Row) -> BrokerPosition:
    """One row of the net positions. Raises BadRow."""
    return BrokerPosition(
        exchange=read_text(row, "exchange", required=True),
        tradingsymbol=read_text(row, "tradingsymbol", required=True),
        product=read_text(row, "product", required=True),
        quantity=_given_quantity(row, "quantity"),
        overnight_quantity=read_quantity(row, "overnight_quantity"),
        average_price=read_decimal(row, "average_price"),
    )


def read_holding(row: Row) -> BrokerHolding:
    """One row of the holdings; `quantity` is what was carried over night, whatever is sold today. Raises BadRow."""
    present = "opening_quantity" if row.get("opening_quantity") is not None else "quantity"
    quantity, t1_quantity = _given_quantity(row, present), read_count(row, "t1_quantity")
    if not 0 <= t1_quantity <= quantity:
        raise BadRow(f"{present} is less than what is not settled")
    return BrokerHolding(
        exchange=read_text(row, "exchange", required=True),
        tradingsymbol=read_text(row, "tradingsymbol", required=True),
        quantity=quantity,
        t1_quantity=t1_quantity,
        average_price=read_decimal(row, "average_price"),
    )


def read_funds(row: Row) -> BrokerFunds:
    """The equity segment's margins. Raises BadRow."""
    available = row.get("available")
    if not isinstance(available, dict) or row.get("net") is None:
        raise BadRow("The funds are not told")
    return BrokerFunds(
        net=read_decimal(row, "net"),
        cash=read_decimal(available, "cash"),
        collateral=read_decimal(available, "collateral"),
    )


def read_book(
    *,
    orders: Iterable[Row] | None = None,
    trades: Iterable[Row] | None = None,
    positions: Iterable[Row] | None = None,
    holdings: Iterable[Row] | None = None,
    funds: Row | None = None,
) -> BrokerBook:
    """What the calls of one round have answered; None for one that failed. Rows that make no sense are named."""
    unread: list[UnreadRow] = []
    book = BrokerBook(
        orders=_rows(Area.ORDERS, orders, read_order, unread),
        trades=_rows(Area.TRADES, trades, read_trade, unread),
        positions=_rows(Area.POSITIONS, positions, read_position, unread),
        holdings=_rows(Area.HOLDINGS, holdings, read_holding, unread),
    )
    money = _rows(Area.FUNDS, None if funds is None else (funds,), read_funds, unread)
    return replace(book, funds=money[0] if money else None, unread=tuple(unread))


def _rows(
    area: Area, rows: Iterable[Row] | None, read: Callable[[Row], Read], unread: list[UnreadRow]
) -> tuple[Read, ...] | None:
    if rows is None:
        return None
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except BadRow as error:
            unread.append(UnreadRow(area, str(error)))
    return tuple(found)


def _side(row: Row) -> str:
    side = read_text(row, "transaction_type", required=True)
    if side not in tuple(Side):
        raise BadRow("transaction_type is no side")
    return side


def _given_quantity(row: Row, name: str) -> int:
    if row.get(name) is None:
        raise BadRow(f"{name} is missing")
    return read_quantity(row, name)
