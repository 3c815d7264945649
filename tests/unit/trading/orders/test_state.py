"""What one report does to one order: statuses, fills, acknowledgements, alarms."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.orders import OrderFailed, OrderStatus
from tests.factories import order, update
from trading.orders.brackets import new_bracket
from trading.orders.state import TABLE, Action, AlarmKind, Folded, OrderRecord, fold, submitted

S = OrderStatus
REPORTABLE = [status for status in S if status is not S.DENIED_LATE]


def after(*reports: OrderStatus, cumulative: int = 0) -> OrderRecord:
    """The record after reports without fills, the last one with `cumulative` at 100 rupees."""
    record = submitted(order())
    for number, status in enumerate(reports, 1):
        quantity = cumulative if number == len(reports) else 0
        record = fold(record, update(status, quantity, "100" if quantity else "0")).record
    return record


def test_a_submitted_order_has_been_heard_of_by_nobody() -> None:
    record = submitted(order())
    assert (record.status, record.acknowledged, record.filled_quantity, record.broker_order_id) == (
        S.SUBMITTED,
        False,
        0,
        "",
    )
    assert record.updated_at == order().event_time
    assert (record.average_price, record.reason, record.held, record.bracket) == (0, "", False, None)
    assert (record.not_before, record.after_sequence, OrderRecord(order=order()).updated_at) == (0, 0, 0)


@pytest.mark.parametrize("status", S)
def test_the_table_lets_no_terminal_status_go_on(status: OrderStatus) -> None:
    assert (not TABLE[status]) is status.is_terminal
    assert S.SUBMITTED not in TABLE[status]


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("told", S)
def test_a_step_goes_where_the_report_says_and_tells_an_end_as_a_failure(state: OrderStatus, told: OrderStatus) -> None:
    step = TABLE[state].get(told)
    if step is None:
        return
    assert step.state is told
    assert (Action.FAIL in step.actions) is (told.is_terminal and told is not S.FILLED)


def alarms(folded: Folded) -> list[tuple[AlarmKind, str]]:
    return [(one.kind, one.message) for one in folded.alarms]


@pytest.mark.parametrize("before", [S.SUBMITTED, S.UNKNOWN, S.WORKING])
@pytest.mark.parametrize("status", [S.CANCELLED, S.REJECTED, S.EXPIRED])
def test_an_end_without_fills_is_one_failure(before: OrderStatus, status: OrderStatus) -> None:
    folded = fold(after(before), update(status, reason="margin"))
    assert (folded.record.status, folded.record.reason, folded.fills) == (status, "margin", [])
    assert folded.failed == OrderFailed(
        order=order(),
        broker_order_id="B1",
        outcome=status,
        filled_quantity=0,
        reason="margin",
        event_time=update(status).event_time,
    )
    assert fold(folded.record, update(S.CANCELLED)).failed is None


@pytest.mark.parametrize("status", REPORTABLE)
def test_a_full_quantity_is_filled_whatever_the_status_says(status: OrderStatus) -> None:
    folded = fold(after(S.WORKING), update(status, 10, "100"))
    assert folded.record.status is S.FILLED
    assert (folded.fills[0].quantity, folded.fills[0].complete) == (10, True)
    assert folded.failed is None


@pytest.mark.parametrize("status", [S.SUBMITTED, S.UNKNOWN, S.WORKING, S.PARTIALLY_FILLED])
@pytest.mark.parametrize("before", [S.SUBMITTED, S.UNKNOWN, S.WORKING])
def test_a_part_is_partially_filled_whatever_the_status_says(before: OrderStatus, status: OrderStatus) -> None:
    folded = fold(after(before), update(status, 4, "100"))
    assert folded.record.status is S.PARTIALLY_FILLED
    assert (folded.fills[0].quantity, folded.fills[0].complete) == (4, False)


@pytest.mark.parametrize("cumulative", [0, 4])
def test_an_end_in_full_without_the_quantity_is_an_alarm_and_no_end(cumulative: int) -> None:
    """Were it one, the rest would stay reserved for ever: neither filled nor failed."""
    folded = fold(after(S.WORKING), update(S.FILLED, cumulative, "100" if cumulative else "0"))
    assert alarms(folded) == [(AlarmKind.FILLED_SHORT, f"Reported as filled with {cumulative} of 10")]
    assert folded.record.status is (S.PARTIALLY_FILLED if cumulative else S.WORKING)
    whole = fold(folded.record, update(S.FILLED, 10, "100"))
    assert (whole.record.status, whole.alarms) == (S.FILLED, ())


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(10, []), (11, [(AlarmKind.OVERFILL, "Filled 11 of 10: more than was ordered")])],
)
def test_more_than_was_ordered_is_booked_with_an_alarm(quantity: int, expected: list[tuple[AlarmKind, str]]) -> None:
    folded = fold(after(S.WORKING), update(S.FILLED, quantity, "100"))
    assert alarms(folded) == expected
    assert (folded.fills[0].quantity, folded.record.filled_quantity) == (quantity, quantity)


def test_a_fill_without_a_price_is_booked_with_an_alarm() -> None:
    folded = fold(after(S.WORKING), update(S.FILLED, 10, "0"))
    assert alarms(folded) == [(AlarmKind.NO_PRICE, "Filled at a price of 0.000000")]
    assert folded.fills[0].quantity == 10


def test_an_overfill_at_no_price_is_two_alarms() -> None:
    folded = fold(after(S.WORKING), update(S.FILLED, 11, "0"))
    assert [one.kind for one in folded.alarms] == [AlarmKind.OVERFILL, AlarmKind.NO_PRICE]


def test_a_fill_acknowledges_whatever_its_status_says() -> None:
    folded = fold(submitted(order()), update(S.UNKNOWN, 4, "100"))
    assert folded.acknowledged is not None
    assert folded.record.status is S.PARTIALLY_FILLED


def test_what_the_desk_knows_of_an_order_outlives_its_reports() -> None:
    record = submitted(order(stop_loss=Decimal(90)))
    record.held, record.not_before, record.after_sequence = True, 7, 8
    record.bracket = new_bracket(record.order)
    after_report = fold(record, update(S.WORKING)).record
    assert (after_report.held, after_report.not_before, after_report.after_sequence) == (True, 7, 8)
    assert after_report.bracket == record.bracket is not None


def test_an_order_denied_at_the_last_moment_has_failed() -> None:
    folded = fold(submitted(order()), update(S.DENIED_LATE, reason="halted"))
    assert folded.failed is not None
    assert (folded.failed.outcome, folded.acknowledged) == (S.DENIED_LATE, None)


@pytest.mark.parametrize("status", S)
def test_the_broker_has_an_order_it_reports_on_unless_it_refused_it(status: OrderStatus) -> None:
    folded = fold(submitted(order()), update(status))
    unheard = status in (S.SUBMITTED, S.UNKNOWN, S.REJECTED, S.DENIED_LATE)
    assert (folded.acknowledged is None) is unheard
    assert folded.record.acknowledged is not unheard


def test_an_order_is_acknowledged_once() -> None:
    record = after(S.WORKING)
    assert fold(record, update(S.PARTIALLY_FILLED, 1, "100")).acknowledged is None


@pytest.mark.parametrize("status", REPORTABLE)
@pytest.mark.parametrize("end", [S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED])
def test_nothing_but_a_fill_follows_an_end(end: OrderStatus, status: OrderStatus) -> None:
    ended = after(S.WORKING, end, cumulative=10 if end is S.FILLED else 4)
    folded = fold(ended, update(status, 4, "100"))
    assert (folded.fills, folded.failed, folded.acknowledged) == ([], None, None)
    assert (folded.record.status, folded.record.filled_quantity) == (end, ended.filled_quantity)


def test_a_rejection_is_the_last_word() -> None:
    folded = fold(after(S.REJECTED), update(S.WORKING))
    assert (folded.acknowledged, folded.record.acknowledged, folded.is_repeat) == (None, False, True)


@pytest.mark.parametrize("end", [S.CANCELLED, S.EXPIRED])
def test_a_fill_that_comes_after_the_end_moves_the_quantity_and_not_the_status(end: OrderStatus) -> None:
    folded = fold(after(end), update(S.PARTIALLY_FILLED, 10, "100"))
    assert (folded.record.status, folded.record.filled_quantity) == (end, 10)
    assert (folded.fills[0].complete, folded.failed) == (True, None)


@pytest.mark.parametrize("before", [S.PARTIALLY_FILLED, S.CANCELLED])
def test_a_fill_is_news_although_the_status_stays(before: OrderStatus) -> None:
    folded = fold(after(S.WORKING, before, cumulative=4), update(before, 6, "100"))
    assert folded.record.status is before
    assert not folded.is_repeat


def test_an_acknowledgement_is_news() -> None:
    assert not fold(submitted(order()), update(S.WORKING)).is_repeat
    assert fold(after(S.WORKING), update(S.WORKING)).is_repeat
    assert not fold(after(S.WORKING), update(S.CANCELLED)).is_repeat


def test_a_record_is_not_changed_by_what_follows() -> None:
    record = after(S.WORKING)
    fold(record, update(S.FILLED, 10, "100"))
    assert record == after(S.WORKING)


def test_the_first_broker_order_id_stays_and_the_time_only_rises() -> None:
    record = fold(after(S.WORKING), update(S.PARTIALLY_FILLED, 1, "100", broker_order_id="other", event_time=5)).record
    assert record.broker_order_id == "B1"
    assert record.updated_at == update(S.WORKING).event_time


@pytest.mark.parametrize(
    ("fill_price", "fill_quantity", "price"),
    [
        (Decimal(105), 6, Decimal(105)),  # the last increment is the whole of what is new
        (Decimal(106), 3, Decimal(105)),  # it is only a part: the averages tell
        (None, 0, Decimal(105)),
    ],
)
def test_price_of_an_increment(fill_price: Decimal | None, fill_quantity: int, price: Decimal) -> None:
    record = after(S.PARTIALLY_FILLED, cumulative=4)
    report = update(S.FILLED, 10, "103", fill_price=fill_price, fill_quantity=fill_quantity)
    assert fold(record, report).fills[0].price == price
