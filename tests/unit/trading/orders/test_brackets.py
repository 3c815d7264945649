"""What a bracket sends and cancels, one situation at a time: 10 bought at 100, the stop at 95, the target at 110."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.messages.orders import OrderStatus, OrderType, PlannedOrder, Product, Side
from tests.factories import AT, order
from trading.orders.brackets import (
    DEADLINE_SECONDS,
    MOST_FAILURES,
    Bracket,
    Claim,
    Glance,
    Plan,
    Role,
    exited_units,
    has_lapsed,
    is_over,
    new_bracket,
    plan,
    standing,
)
from trading.orders.state import OrderRecord, submitted

S = OrderStatus
DAY = 86_400


class Book:
    """Records by id, and an entry in them."""

    def __init__(self, filled: int = 10, status: OrderStatus = S.FILLED, **values: Any) -> None:
        terms: dict[str, Any] = {"stop_loss": Decimal(95), "target": Decimal(110), **values}
        self.entry = submitted(order(order_id="entry", **terms))
        self.entry.status, self.entry.filled_quantity = status, filled
        self.entry.bracket = new_bracket(self.entry.order)
        self.records: dict[str, OrderRecord] = {"entry": self.entry}
        self.second = AT

    def look(self, price: str | None = "100", *, after: int = 1, is_continuous: bool = True) -> Plan:
        """Plan, and let what is sent work at the broker."""
        self.second += after
        glance = Glance(
            second=self.second,
            is_continuous=is_continuous,
            price=None if price is None else Decimal(price),
            sequence=9,
            run_id="run",
            received_ns=3,
        )
        made = plan(self.entry, glance, self.records.get)
        self.entry.bracket = made.bracket
        for one in made.sends:
            self.records[one.order_id] = submitted(one)
        return made

    def end(self, exit_id: str, status: OrderStatus, filled: int = 0) -> None:
        self.records[exit_id].status = status
        self.records[exit_id].filled_quantity = filled

    def claim(self, name: str, units: int, **values: Any) -> OrderRecord:
        assert self.entry.bracket is not None
        self.entry.bracket.claims[name] = Claim(units, 0)
        self.records[name] = submitted(order(order_id=name, side=Side.SELL, quantity=units, **values))
        return self.records[name]


def sent(made: Plan) -> list[tuple[OrderType, int, Decimal | None]]:
    return [(one.order_type, one.quantity, one.trigger_price or one.limit_price) for one in made.sends]


def only(orders: list[PlannedOrder]) -> PlannedOrder:
    (one,) = orders
    return one


def test_an_order_without_exits_has_no_bracket() -> None:
    assert new_bracket(order()) is None


def test_the_stop_rests_for_what_has_filled() -> None:
    book = Book(filled=4, status=S.PARTIALLY_FILLED)
    assert sent(book.look()) == [(OrderType.SL_M, 4, Decimal(95))]
    assert sent(book.look()) == []
    book.entry.filled_quantity = 10
    assert sent(book.look()) == [(OrderType.SL_M, 6, Decimal(95))]


def test_an_exit_says_whose_it_is() -> None:
    book = Book(market_protection=Decimal(2), product=Product.NRML)
    one = only(book.look().sends)
    assert (one.oco_group, one.side, one.reduces, one.product) == ("entry", Side.SELL, True, Product.NRML)
    assert (one.event_time, one.tick_sequence, one.run_id, one.received_ns) == (AT + 1, 9, "run", 3)
    assert (one.market_protection, one.frame_id, one.signal_id) == (Decimal(2), "frame", "signal")
    assert one.order_id != only(Book(filled=9).look().sends).tag


def test_ids_of_exits_follow_from_the_entry_and_their_number() -> None:
    first, again = Book(), Book()
    assert first.look().sends == again.look().sends
    book = Book(filled=4)
    one = only(book.look().sends)
    book.entry.filled_quantity = 10
    assert only(book.look().sends).order_id != one.order_id


def test_a_target_alone_rests() -> None:
    book = Book(stop_loss=None)
    assert sent(book.look("200")) == [(OrderType.LIMIT, 10, Decimal(110))]


@pytest.mark.parametrize(("price", "reached"), [("109.95", False), ("110", True), ("111", True)])
def test_a_target_is_sent_once_its_price_is_there_and_the_stop_is_gone(price: str, reached: bool) -> None:
    book = Book()
    stop = only(book.look().sends)
    made = book.look(price)
    assert made.sends == []
    assert made.cancels == ([(stop.order_id, "Its place is taken by the target")] if reached else [])
    if reached:
        assert book.look(price).sends == [], "the stop still works"
        book.end(stop.order_id, S.CANCELLED)
        assert sent(book.look("100")) == [(OrderType.LIMIT, 10, Decimal(110))]


def test_a_short_position_is_left_the_other_way_round() -> None:
    book = Book(side=Side.SELL, stop_loss=Decimal(105), target=Decimal(90))
    stop = only(book.look().sends)
    assert (stop.side, stop.trigger_price) == (Side.BUY, Decimal(105))
    assert book.look("90.05").cancels == []
    assert len(book.look("90").cancels) == 1


def test_what_the_stop_sold_before_its_cancel_is_not_sold_again() -> None:
    book = Book()
    stop = only(book.look().sends)
    book.look("110")
    book.end(stop.order_id, S.CANCELLED, filled=7)
    assert sent(book.look("110")) == [(OrderType.LIMIT, 3, Decimal(110))]


def test_a_stop_price_that_is_passed_while_no_stop_works_is_left_at_the_market() -> None:
    book = Book()
    assert sent(book.look("94")) == [(OrderType.MARKET, 10, None)]


def test_a_stop_that_works_is_left_to_the_exchange_for_its_time() -> None:
    book = Book()
    stop = only(book.look().sends)
    assert book.look("94").cancels == []
    assert book.look("94", after=DEADLINE_SECONDS - 1).cancels == []
    assert book.look("94").cancels == [(stop.order_id, "Its place is taken by the out")]
    book.end(stop.order_id, S.CANCELLED)
    assert sent(book.look("94")) == [(OrderType.MARKET, 10, None)]


def test_a_price_that_comes_back_gives_the_stop_its_time_again() -> None:
    book = Book()
    book.look()
    book.look("94")
    book.look("96", after=DEADLINE_SECONDS)
    assert book.look("94").cancels == []


def test_a_target_that_did_not_fill_gives_way_to_the_stop_price() -> None:
    book = Book()
    stop = only(book.look().sends)
    book.look("110")
    book.end(stop.order_id, S.CANCELLED)
    target = only(book.look("110").sends)
    assert book.look("95").cancels == [(target.order_id, "Its place is taken by the out")]
    book.end(target.order_id, S.CANCELLED)
    assert sent(book.look("100")) == [(OrderType.MARKET, 10, None)]


def test_an_exit_at_the_market_that_finds_no_market_is_priced_again() -> None:
    book = Book()
    one = only(book.look("94").sends)
    assert book.look("94", after=DEADLINE_SECONDS - 1).cancels == []
    assert book.look("94").cancels == [(one.order_id, "Not filled in time: it is priced again")]
    book.end(one.order_id, S.CANCELLED, filled=4)
    assert sent(book.look("90")) == [(OrderType.MARKET, 6, None)]


def test_a_cancel_that_has_no_effect_is_sent_again() -> None:
    book = Book()
    book.look()
    assert len(book.look("110").cancels) == 1
    assert book.look("110", after=DEADLINE_SECONDS - 1).cancels == []
    assert len(book.look("110").cancels) == 1


@pytest.mark.parametrize("exited", [True, False])
def test_once_it_is_left_the_entry_is_filled_no_further(exited: bool) -> None:
    book = Book(filled=4, status=S.PARTIALLY_FILLED)
    stop = only(book.look().sends)
    if exited:
        book.end(stop.order_id, S.FILLED, filled=4)
    assert book.look().cancels == ([("entry", "The position is being left")] if exited else [])
    assert book.look(after=DEADLINE_SECONDS - 1).cancels == []


def test_a_target_alone_does_not_cancel_the_entry_it_belongs_to() -> None:
    assert Book(filled=4, status=S.PARTIALLY_FILLED, stop_loss=None).look().cancels == []


def test_nothing_is_sent_while_the_market_does_not_trade() -> None:
    book = Book()
    assert book.look("94", is_continuous=False) == Plan(bracket=book.entry.bracket)
    assert sent(book.look()) == [(OrderType.SL_M, 10, Decimal(95))], "nor does its price count"


def test_without_a_price_the_stop_is_sent_all_the_same() -> None:
    assert sent(Book().look(None)) == [(OrderType.SL_M, 10, Decimal(95))]


def test_a_stop_that_fails_again_and_again_is_watched_instead() -> None:
    book = Book()
    for _ in range(MOST_FAILURES):
        stop = only(book.look(after=DEADLINE_SECONDS).sends)
        book.end(stop.order_id, S.REJECTED)
        assert book.look().sends == [], "not before its time"
    made = book.look(after=DEADLINE_SECONDS)
    assert made.sends == []
    assert made.alarm == "The stop of 10 failed 3 times; its price is only watched"
    assert book.look(after=DEADLINE_SECONDS).alarm == "", "it is said once"
    assert sent(book.look("95")) == [(OrderType.MARKET, 10, None)]


def test_the_next_day_a_stop_is_tried_again() -> None:
    book = Book(product=Product.NRML)
    for _ in range(MOST_FAILURES):
        book.end(only(book.look(after=DEADLINE_SECONDS).sends).order_id, S.REJECTED)
    book.look(after=DEADLINE_SECONDS)
    assert sent(book.look(after=DAY)) == [(OrderType.SL_M, 10, Decimal(95))]
    assert book.entry.bracket is not None
    assert not book.entry.bracket.is_unprotected


def test_a_stop_that_ends_with_its_day_is_sent_the_next() -> None:
    book = Book(product=Product.CNC)
    book.end(only(book.look().sends).order_id, S.EXPIRED)
    assert sent(book.look(after=DAY)) == [(OrderType.SL_M, 10, Decimal(95))]


def test_an_intraday_position_is_gone_with_its_day() -> None:
    book = Book()
    book.end(only(book.look().sends).order_id, S.EXPIRED)
    assert book.look(after=DAY).sends == []
    assert has_lapsed(book.entry, AT + DAY)
    assert not has_lapsed(book.entry, AT)


def test_the_strategys_own_exit_takes_its_units_from_the_bracket() -> None:
    book = Book()
    stop = only(book.look().sends)
    own = book.claim("own", 6)
    assert book.look().cancels == [(stop.order_id, "The strategy exits itself")]
    book.end(stop.order_id, S.CANCELLED)
    assert sent(book.look()) == [(OrderType.SL_M, 4, Decimal(95))]
    own.status, own.filled_quantity = S.CANCELLED, 2
    assert sent(book.look()) == [(OrderType.SL_M, 4, Decimal(95))], "what it did not sell is protected again"


def test_an_own_exit_of_everything_stops_the_entry_too() -> None:
    book = Book(filled=4, status=S.PARTIALLY_FILLED)
    book.claim("own", 4)
    assert book.look().cancels == [("entry", "The position is being left")]


def test_a_claim_counts_the_fills_after_those_of_other_brackets() -> None:
    book = Book()
    own = book.claim("own", 6)
    assert book.entry.bracket is not None
    book.entry.bracket.claims["own"] = Claim(6, 5)
    own.status, own.filled_quantity = S.CANCELLED, 7
    assert standing(book.entry, book.records.get).left == 8
    own.filled_quantity = 3
    assert standing(book.entry, book.records.get).left == 10


def test_a_bracket_is_over_when_all_has_left_and_nothing_works() -> None:
    book = Book()
    assert not is_over(book.entry, book.records.get)
    stop = only(book.look().sends)
    assert not is_over(book.entry, book.records.get)
    book.end(stop.order_id, S.FILLED, filled=10)
    assert is_over(book.entry, book.records.get)
    assert is_over(submitted(order()), book.records.get)
    assert not is_over(Book(filled=0, status=S.WORKING).entry, book.records.get)
    assert is_over(Book(filled=0, status=S.CANCELLED).entry, book.records.get)


def test_a_fill_that_is_reported_late_is_covered_late() -> None:
    book = Book(filled=0, status=S.CANCELLED)
    assert book.look().sends == []
    book.entry.filled_quantity = 3
    assert sent(book.look()) == [(OrderType.SL_M, 3, Decimal(95))]


def test_units_that_left_are_counted_by_the_day_their_exit_was_sent() -> None:
    book = Book(product=Product.NRML)
    stop = only(book.look().sends)
    book.end(stop.order_id, S.CANCELLED, filled=4)
    assert exited_units(book.entry, AT + 100, book.records.get) == 4
    assert exited_units(book.entry, AT + DAY, book.records.get) == 0
    assert exited_units(submitted(order()), AT, book.records.get) == 0


def test_a_plan_changes_nothing_but_what_it_returns() -> None:
    book = Book()
    before = new_bracket(book.entry.order)
    glance = Glance(second=AT + 1, is_continuous=True, price=Decimal(94), run_id="run")
    plan(book.entry, glance, book.records.get)
    assert book.entry.bracket == before
    assert before is not None
    assert before.wants is Role.STOP


def test_a_new_bracket_has_done_nothing() -> None:
    made = new_bracket(order(stop_loss=Decimal(95)))
    assert made == Bracket(wants=Role.STOP, exits={}, claims={}, beyond_since=0, entry_cancelled_at=0)
    assert made is not None
    assert not made.is_unprotected
    assert Glance(second=1, is_continuous=True, run_id="run") == Glance(
        second=1, is_continuous=True, price=None, sequence=0, run_id="run", received_ns=0
    )


def test_an_exit_nobody_has_heard_of_works_in_full() -> None:
    book = Book()
    del book.records[only(book.look().sends).order_id]
    found = standing(book.entry, book.records.get)
    assert (found.left, found.covered, found.has_exited) == (10, 10, False)


def test_an_exit_that_has_filled_in_part_covers_the_rest() -> None:
    book = Book()
    stop = only(book.look().sends)
    book.end(stop.order_id, S.PARTIALLY_FILLED, filled=4)
    found = standing(book.entry, book.records.get)
    assert (found.left, found.covered, found.has_exited) == (6, 6, True)
    assert book.look().sends == []


@pytest.mark.parametrize("filled", [1, 9])
def test_one_unit_is_enough_to_go_on_or_to_leave(filled: int) -> None:
    book = Book(filled=filled + 1, status=S.PARTIALLY_FILLED)
    stop = only(book.look().sends)
    book.end(stop.order_id, S.CANCELLED, filled=filled)
    assert book.look().cancels == [("entry", "The position is being left")]
    book.entry.status = S.CANCELLED
    assert not is_over(book.entry, book.records.get)


def test_a_price_counts_only_while_there_is_something_to_leave() -> None:
    """The stop was hit; what the entry still fills has its own."""
    book = Book(filled=4, status=S.PARTIALLY_FILLED)
    book.end(only(book.look().sends).order_id, S.FILLED, filled=4)
    book.look("94")
    book.entry.filled_quantity = 5
    assert sent(book.look("100")) == [(OrderType.SL_M, 1, Decimal(95))]
    assert len(book.look("110").cancels) == 1, "one unit is something"


@pytest.mark.parametrize(("price", "kind"), [("95.05", OrderType.SL_M), ("95", OrderType.MARKET)])
def test_the_stop_price_itself_is_reached(price: str, kind: OrderType) -> None:
    assert only(Book().look(price).sends).order_type is kind


def test_only_as_many_exits_are_cancelled_as_a_claim_needs_the_newest_first() -> None:
    book = Book(filled=4, status=S.PARTIALLY_FILLED)
    first = only(book.look().sends)
    book.entry.filled_quantity, book.entry.status = 10, S.FILLED
    second = only(book.look().sends)
    book.claim("own", 3)
    assert book.look().cancels == [(second.order_id, "The strategy exits itself")]
    book.end(second.order_id, S.CANCELLED)
    assert sent(book.look()) == [(OrderType.SL_M, 3, Decimal(95))]
    assert book.records[first.order_id].is_open
