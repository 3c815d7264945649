"""A broker's reports, in any order, repeated or missing, lead to one end and to each fill once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFailed, OrderFilled, OrderStatus, OrderUpdate
from tests.factories import AT, order, update
from trading.orders.state import OrderRecord, fold, submitted

S = OrderStatus
ORDER = order(quantity=1000)
MICRO = Decimal("0.000001")


@dataclass
class History:
    """What really happened at the broker. `reports` is in order; the last one tells the whole."""

    reports: list[OrderUpdate]
    end: OrderStatus
    filled: int
    turnover: Decimal


@st.composite
def histories(draw: st.DrawFn) -> History:
    """An order that fills in pieces and ends, with fills that are told only after its end."""
    end = draw(st.sampled_from([S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED]))
    total = ORDER.quantity if end is S.FILLED else draw(st.integers(0, ORDER.quantity - 1))
    cuts = sorted(draw(st.sets(st.integers(1, total), max_size=5)) | {total}) if total else []
    ended_at = draw(st.integers(0, len(cuts)))  # from this fill on the order has already ended
    reports = [report(S.WORKING, 0, Decimal(0), 0)]
    turnover, before = Decimal(0), 0
    for number, cumulative in enumerate(cuts):
        price = Decimal(draw(st.integers(5, 400_000)) * 5) / 100
        turnover += (cumulative - before) * price
        status = S.PARTIALLY_FILLED if number < ended_at or end is S.FILLED else end
        told = {"fill_price": price, "fill_quantity": cumulative - before} if draw(st.booleans()) else {}
        reports.append(report(status, cumulative, turnover, number + 1, **told))
        before = cumulative
    reports.append(report(end, total, turnover, len(reports)))
    return History(reports, end, total, turnover)


def report(status: OrderStatus, cumulative: int, turnover: Decimal, second: int, **told: object) -> OrderUpdate:
    average = (turnover / cumulative).quantize(MICRO) if cumulative else Decimal(0)
    return update(status, cumulative, str(average), of=ORDER, event_time=AT + second, **told)


def run(reports: list[OrderUpdate]) -> tuple[OrderRecord, list[OrderFilled], list[OrderFailed], int]:
    """Fold through bytes, as the orders table does."""
    record, fills, failures, acknowledged = submitted(ORDER), [], [], 0
    for one in reports:
        folded = fold(record, one)
        assert folded.alarms == ()
        assert folded.record.filled_quantity >= record.filled_quantity
        assert not record.status.is_terminal or folded.record.status is record.status
        record = msgspec.msgpack.decode(msgspec.msgpack.encode(folded.record), type=OrderRecord)
        fills += folded.fills
        failures += [folded.failed] if folded.failed else []
        acknowledged += folded.acknowledged is not None
    return record, fills, failures, acknowledged


@given(history=histories(), data=st.data())
def test_any_order_of_any_of_the_reports_gives_the_same_end(history: History, data: st.DataObject) -> None:
    told = data.draw(st.lists(st.sampled_from(history.reports), max_size=10), label="told")
    heard = data.draw(st.permutations([*told, history.reports[-1]]), label="heard")
    record, fills, failures, acknowledged = run(heard)
    assert record.status is history.end
    assert record.filled_quantity == history.filled
    assert record.broker_order_id == "B1"
    assert record.updated_at == max([one.event_time for one in heard], default=0)
    if history.filled:
        assert record.average_price == (history.turnover / history.filled).quantize(MICRO)
    assert sum(one.quantity for one in fills) == history.filled
    assert [one.cumulative_quantity for one in fills] == sorted({one.cumulative_quantity for one in fills})
    assert len({one.fill_id for one in fills}) == len(fills)
    assert [one.complete for one in fills] == [one.cumulative_quantity == ORDER.quantity for one in fills]
    assert len(failures) == (history.end is not S.FILLED)
    assert acknowledged <= 1
    if history.end is not S.REJECTED:
        assert acknowledged == 1


@given(history=histories(), data=st.data())
def test_the_fills_are_worth_what_the_broker_says(history: History, data: st.DataObject) -> None:
    """Averages come with six decimals: a unit may be off by half of the last one, before and after each fill."""
    heard = data.draw(st.permutations(history.reports), label="heard")
    _, fills, _, _ = run(heard)
    booked = sum((one.quantity * one.price for one in fills), Decimal(0))
    assert abs(booked - history.turnover) <= MICRO * 2 * ORDER.quantity * max(1, len(fills))


@given(history=histories())
def test_reports_that_tell_each_fill_give_its_exact_price(history: History) -> None:
    """In order, with every increment named, turnover is exact to the last decimal."""
    reports = []
    before, turnover = 0, Decimal(0)
    for number, one in enumerate(history.reports):
        increment = one.cumulative_quantity - before
        price = Decimal(number * 5 + 5) / 100
        turnover += increment * price
        told = {"fill_price": price, "fill_quantity": increment} if increment else {}
        reports.append(report(one.status, one.cumulative_quantity, turnover, number, **told))
        before = one.cumulative_quantity
    _, fills, _, _ = run(reports)
    assert sum((one.quantity * one.price for one in fills), Decimal(0)) == turnover


@given(history=histories(), data=st.data())
def test_a_report_that_is_heard_again_is_a_repeat(history: History, data: st.DataObject) -> None:
    heard = data.draw(st.permutations(history.reports), label="heard")
    record, _, _, _ = run(heard)
    for one in heard:
        again = fold(record, one)
        assert again.is_repeat
        assert again.record == record
