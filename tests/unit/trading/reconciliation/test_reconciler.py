"""From one reading to the next: motion, patience, acceptance, and what stays when something could not be read."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.trading.reconciliation.books import (
    KEY,
    NOW,
    account,
    book,
    done,
    execution,
    holds,
    readings,
    record,
    row,
    stands,
)
from trading.reconciliation.book import Area, BrokerBook, UnreadRow
from trading.reconciliation.compare import compare
from trading.reconciliation.difference import Readings, Tolerances
from trading.reconciliation.kinds import DifferenceKind as K
from trading.reconciliation.reconciler import Event, EventKind, Reconciler, ReconcilerState

E = EventKind
TOLERANCES = Tolerances()
GRACE, PATIENCE = TOLERANCES.grace_seconds, TOLERANCES.patience_seconds
SAME = readings()


def position(ours: int, theirs: int) -> Readings:
    """A position that differs: always in motion."""
    return readings(account=holds(account(), ours), broker=book(positions=(stands(theirs),)))


def average(ours: int) -> Readings:
    """An order that ended long ago with another average price there: not in motion."""
    known = done(average_price=ours)
    theirs = row(done())
    broker = book(orders=(theirs,), trades=(execution(theirs),), positions=(stands(10),))
    return readings(known, account=holds(account(), 10), broker=broker)


def told(events: tuple[Event, ...]) -> list[tuple[EventKind, K]]:
    return [(one.kind, one.difference.kind) for one in events]


def test_what_is_not_in_motion_counts_at_once() -> None:
    following = Reconciler()
    assert told(following.step(average(99), NOW)) == [(E.APPEARED, K.ORDER_AVERAGE)]
    assert told(following.step(average(99), NOW + 1)) == [(E.STILL, K.ORDER_AVERAGE)]
    (event,) = following.step(average(98), NOW + 2)
    assert (event.kind, event.difference.ours, event.since) == (E.CHANGED, "98", NOW)
    (event,) = following.step(SAME, NOW + 3)
    assert (event.kind, event.difference.ours) == (E.RESOLVED, "98")
    assert following.step(SAME, NOW + 4) == ()


@pytest.mark.parametrize(("later", "counts"), [(GRACE - 0.1, False), (GRACE, True), (GRACE + 1, True)])
def test_what_is_in_motion_counts_when_it_is_there_a_grace_later(later: float, counts: bool) -> None:
    following = Reconciler()
    assert following.step(position(10, 9), NOW) == ()
    assert told(following.step(position(10, 9), NOW + later)) == ([(E.APPEARED, K.POSITION_QUANTITY)] if counts else [])


def test_what_was_in_motion_and_is_gone_was_never_there() -> None:
    following = Reconciler()
    following.step(position(10, 9), NOW)
    assert following.step(SAME, NOW + GRACE) == ()
    assert following.step(position(10, 9), NOW + GRACE) == ()


@pytest.mark.parametrize("later", [PATIENCE - 0.1, PATIENCE])
def test_while_our_side_moves_a_difference_waits_as_long_as_the_patience(later: float) -> None:
    following = Reconciler()
    for second in range(int(PATIENCE)):
        assert following.step(position(10 + second, 9), NOW + second) == ()
    events = following.step(position(100, 9), NOW + later)
    assert told(events) == ([(E.APPEARED, K.POSITION_QUANTITY)] if later >= PATIENCE else [])


def test_that_their_side_moves_is_no_reason_to_wait() -> None:
    following = Reconciler()
    following.step(position(10, 9), NOW)
    assert told(following.step(position(10, 8), NOW + GRACE)) == [(E.APPEARED, K.POSITION_QUANTITY)]


def test_an_open_position_with_other_values_is_in_motion_again() -> None:
    following = Reconciler()
    following.step(position(10, 9), NOW)
    following.step(position(10, 9), NOW + 2)
    (event,) = following.step(position(15, 9), NOW + 3)
    assert (event.kind, event.difference.gap) == (E.STILL, "-1")
    (event,) = following.step(position(15, 9), NOW + 5)
    assert (event.kind, event.difference.gap) == (E.CHANGED, "-6")


def opened(told: Readings) -> tuple[Reconciler, str]:
    following = Reconciler()
    following.step(told, NOW)
    (event,) = following.step(told, NOW + GRACE)
    return following, event.difference.key


def test_a_blocking_difference_blocks_until_it_is_accepted() -> None:
    following, key = opened(position(10, 9))
    assert following.blocked.account
    following.accept(key, "-1", now=NOW + 3)
    assert not following.blocked.account
    (event,) = following.step(position(10, 9), NOW + 4)
    assert (event.kind, event.is_accepted) == (E.STILL, True)


def test_what_was_accepted_before_it_is_found_never_blocks() -> None:
    following = Reconciler()
    following.accept(f"position_quantity|{KEY} MIS", "-1", now=NOW)
    following.step(position(10, 9), NOW)
    (event,) = following.step(position(10, 9), NOW + GRACE)
    assert (event.kind, event.is_accepted) == (E.APPEARED, True)
    assert not following.blocked.account


def test_an_accepted_difference_that_is_the_same_between_other_quantities_stays_accepted() -> None:
    following, key = opened(position(10, 9))
    following.accept(key, "-1", now=NOW + 3)
    for second in range(4, 20):
        (event,) = following.step(position(10 + second, 9 + second), NOW + second)
        assert (event.kind, event.is_accepted) == (E.STILL, True)
    assert not following.blocked.account


def test_an_acceptance_ends_with_the_value() -> None:
    following, key = opened(position(10, 9))
    following.accept(key, "-1", now=NOW + 3)
    following.step(position(10, 8), NOW + 4)
    (event,) = following.step(position(10, 8), NOW + 6)
    assert (event.kind, event.is_accepted) == (E.CHANGED, False)
    assert following.blocked.account
    following.step(position(10, 9), NOW + 7)
    (event,) = following.step(position(10, 9), NOW + 9)
    assert not event.is_accepted


@pytest.mark.parametrize(("away", "is_accepted"), [(PATIENCE - 1, True), (PATIENCE, False)])
def test_an_acceptance_outlives_a_moment_without_the_difference(away: float, is_accepted: bool) -> None:
    following, key = opened(position(10, 9))
    following.accept(key, "-1", now=NOW + 3)
    following.step(position(10, 9), NOW + 4)
    assert told(following.step(SAME, NOW + 4 + away)) == [(E.RESOLVED, K.POSITION_QUANTITY)]
    following.step(position(10, 9), NOW + 50)
    (event,) = following.step(position(10, 9), NOW + 52)
    assert (event.kind, event.is_accepted) == (E.APPEARED, is_accepted)


def test_only_what_blocks_an_instrument_leaves_the_others_free() -> None:
    theirs = row(done(), tag="")
    broker = book(orders=(theirs,), trades=(execution(theirs),), positions=(stands(10),))
    following = Reconciler()
    following.step(readings(broker=broker), NOW)
    events = following.step(readings(broker=broker), NOW + GRACE)
    assert {one.difference.kind for one in events} == {K.ORDER_FOREIGN, K.POSITION_FOREIGN}
    assert (following.blocked.account, following.blocked.instruments) == (False, {KEY})


def test_warnings_block_nothing() -> None:
    following = Reconciler()
    following.step(average(99), NOW)
    assert (following.blocked.account, following.blocked.instruments) == (False, frozenset())


@pytest.mark.parametrize(
    "broker",
    [
        book(positions=None),
        book(orders=None),
        book(holdings=None),
        book(unread=(UnreadRow(Area.POSITIONS, "quantity is missing"),)),
    ],
)
def test_what_could_not_be_read_resolves_nothing(broker: BrokerBook) -> None:
    following, _ = opened(position(10, 0))
    events = following.step(readings(account=account(), broker=broker), NOW + 5)
    assert (E.STILL, K.POSITION_MISSING) in told(events)
    assert following.blocked.account
    assert (E.RESOLVED, K.POSITION_MISSING) in told(following.step(SAME, NOW + 6))


def test_another_day_resolves_no_position_before_the_account_has_begun_it() -> None:
    following, _ = opened(position(10, 0))
    assert told(following.step(SAME, NOW + 86_400)) == [(E.STILL, K.POSITION_MISSING)]


def test_rows_that_cannot_be_read_resolve_when_all_can() -> None:
    following = Reconciler()
    broken = book(unread=(UnreadRow(Area.ORDERS, "quantity is negative"), UnreadRow(Area.ORDERS, "status is no text")))
    (event,) = following.step(readings(broker=broken), NOW)
    assert event.difference.theirs == "2: quantity is negative; status is no text"
    assert told(following.step(readings(broker=book(orders=None)), NOW + 1)) == [(E.STILL, K.ROWS_UNREADABLE)]
    assert told(following.step(SAME, NOW + 2)) == [(E.RESOLVED, K.ROWS_UNREADABLE)]


def test_the_state_goes_through_bytes() -> None:
    following, key = opened(position(10, 9))
    following.accept(key, "-1", now=NOW + 3)
    following.step(readings(record(), account=holds(account(), 10), broker=book(positions=(stands(9),))), NOW + 4)
    assert following.state.pending
    kept = msgspec.json.decode(msgspec.json.encode(following.state), type=ReconcilerState)
    assert kept == following.state
    again = Reconciler(kept)
    assert told(again.step(SAME, NOW + 5)) == [(E.RESOLVED, K.POSITION_QUANTITY)]


def test_the_same_readings_give_the_same_differences() -> None:
    assert compare(position(10, 9), NOW) == compare(position(10, 9), NOW)
