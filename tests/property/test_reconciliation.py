"""Both sides of one day never differ for longer than a moment; one changed row is always a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from brokers.zerodha.portfolio import read_book
from models.messages.ids import order_tag
from tests.property.broker_model import (
    BEGIN,
    CASH,
    Day,
    OurSide,
    Row,
    days,
    holding_rows,
    order_rows,
    position_rows,
    trade_rows,
)
from trading.reconciliation.compare import compare
from trading.reconciliation.difference import Readings
from trading.reconciliation.reconciler import Reconciler

FUNDS = {"net": float(CASH), "available": {"cash": float(CASH), "collateral": 0}}
Rows = dict[str, list[Row]]
Change = Callable[[], object]
AREAS = ("ours", "orders", "trades", "positions")


def rows_of(day: Day, told: dict[str, int]) -> Rows:
    return {
        "orders": order_rows(day, told["orders"]),
        "trades": trade_rows(day, told["trades"]),
        "positions": position_rows(day, told["positions"]),
        "holdings": holding_rows(day),
    }


def readings(ours: OurSide, rows: Rows) -> Readings:
    return Readings(orders=ours.records, account=ours.account, broker=read_book(**rows, funds=FUNDS))


def told(data: st.DataObject, day: Day, second: int, before: dict[str, int]) -> dict[str, int]:
    """How much each reading knows: all of the second before at least, and never less than the last time."""
    earliest, latest = day.told_by(second - 1), day.told_by(second)
    return {one: data.draw(st.integers(max(earliest, before[one]), latest), label=one) for one in AREAS}


@given(day=days(), data=st.data())
def test_two_views_of_one_day_that_lag_for_a_moment_are_no_difference(day: Day, data: st.DataObject) -> None:
    following, ours, known = Reconciler(), OurSide(day), dict.fromkeys(AREAS, 0)
    for second in range(day.seconds + 3):
        known = told(data, day, second, known)
        seen = readings(ours.hear(known["ours"]), rows_of(day, known))
        assert following.step(seen, BEGIN + second) == ()
        if len(set(known.values())) == 1:
            assert compare(seen, BEGIN + second) == ()
    assert following.state.pending == following.state.open == {}


@given(day=days())
def test_any_one_row_that_is_changed_is_a_difference(day: Day) -> None:
    whole, later = dict.fromkeys(AREAS, len(day.story)), BEGIN + day.seconds + 100
    ours, rows = OurSide(day).hear(len(day.story)), rows_of(day, whole)
    for place, (name, _) in enumerate(changes(rows)):
        other = deepcopy(rows)
        change = list(changes(other))[place][1]
        change()
        assert compare(readings(ours, other), later), name


@given(day=days(), data=st.data())
def test_one_changed_row_is_a_difference_until_it_is_changed_back(day: Day, data: st.DataObject) -> None:
    whole, later = len(day.story), BEGIN + day.seconds + 100
    ours, rows = OurSide(day).hear(whole), rows_of(day, dict.fromkeys(AREAS, whole))
    following = Reconciler()
    assert following.step(readings(ours, rows), later) == ()
    name, change = data.draw(st.sampled_from(list(changes(rows))), label="change")
    change()
    for second in (2, 4):
        following.step(readings(ours, rows), later + second)
    assert following.state.open, name
    rows = rows_of(day, dict.fromkeys(AREAS, whole))
    following.step(readings(ours, rows), later + 6)
    assert following.state.open == {}


def changes(rows: Rows) -> Iterator[tuple[str, Change]]:
    """Every way in which one row can contradict us."""
    for area, told_rows in rows.items():
        for at, row in enumerate(told_rows):
            for values in VALUES[area](row):
                yield f"{area} {at} {values}", lambda row=row, values=values: row.update(values)
            if area != "positions" or row["quantity"]:
                yield f"{area} {at} removed", lambda told_rows=told_rows, at=at: told_rows.pop(at)
            if area == "orders":
                again = {**row, "order_id": "2"}
                yield f"{area} {at} doubled", lambda told_rows=told_rows, again=again: told_rows.append(again)
            if area == "trades":
                yield f"{area} {at} doubled", lambda told_rows=told_rows, row=row: told_rows.append(dict(row))


def of_order(row: Row) -> Iterator[Row]:
    yield from of_terms(row)
    yield {"status": "OPEN" if row["status"] != "OPEN" else "CANCELLED"}
    yield {"status": "LAPSED"}
    yield {"filled_quantity": row["filled_quantity"] + 1}
    yield {"filled_quantity": -1}
    if row["filled_quantity"]:
        yield {"filled_quantity": row["filled_quantity"] - 1}
        yield {"average_price": row["average_price"] * 1.5}
    yield {"price": 100.05}
    yield from ({"tag": tag} for tag in (None, order_tag("another")))


def of_trade(row: Row) -> Iterator[Row]:
    yield from of_terms(row)
    yield {"average_price": row["average_price"] * 1.5}


def of_terms(row: Row) -> Iterator[Row]:
    yield {"quantity": row["quantity"] + 1}
    yield {"quantity": "many"}
    yield {"transaction_type": "SELL" if row["transaction_type"] == "BUY" else "BUY"}
    yield {"order_id": "2"}
    yield from of_place(row)


def of_place(row: Row) -> Iterator[Row]:
    yield {"exchange": "BSE"}
    yield {"tradingsymbol": "WIPRO"}
    yield {"product": "MIS" if row["product"] != "MIS" else "CNC"}


def of_position(row: Row) -> Iterator[Row]:
    yield from ({"quantity": row["quantity"] + units} for units in (-1, 1, 100))
    if row["product"] != "CNC":
        yield {"overnight_quantity": row["overnight_quantity"] + 1}
    if row["quantity"]:
        yield from of_place(row)


def of_holding(row: Row) -> Iterator[Row]:
    yield {"opening_quantity": row["opening_quantity"] + 1}
    yield {"opening_quantity": row["opening_quantity"] - 1}
    yield {"t1_quantity": row["t1_quantity"] + 1}
    yield {"tradingsymbol": "WIPRO"}


VALUES: dict[str, Callable[[Row], Iterator[Row]]] = {
    "orders": of_order,
    "trades": of_trade,
    "positions": of_position,
    "holdings": of_holding,
}
