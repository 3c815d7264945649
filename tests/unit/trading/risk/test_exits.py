"""Leaving positions: which exits are due, how often, and with which protection."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFailed, OrderStatus, OrderType, PlannedOrder, Product, Side
from models.messages.signals import AcceptedSignal, ExitsDue, Intent, Signal
from tests.factories import ACCOUNT, TOKEN, exposure, filled, instrument, order
from tests.strategy_runs import OPEN
from tests.unit.trading.risk.asking import KEY, answer, failed, future, holding, working
from trading.market.instruments import Instrument
from trading.orders.rounding import MOST_SLICES
from trading.risk.exits import (
    REST_SECONDS,
    ROUND_SECONDS,
    Chasing,
    begin_round,
    describe,
    exits_due,
    follow_up,
    note_failed,
    note_filled,
)
from trading.risk.exposure import Exposure, Tries, apply_failed, apply_fill, reserve
from trading.risk.square_off import SquareOff

BUY, SELL = Side.BUY, Side.SELL
NOW = OPEN + 3600
POSITION = f"momentum|{KEY}|MIS"
PERCENTS = (Decimal(1), Decimal(2), Decimal(3), Decimal(5))
MOST = 5
FUTURE = future()


def never(token: int, second: int) -> int | None:
    return None


def chasing(*, begins: SquareOff = never, marks: dict[str, Decimal] | None = None, **values: Any) -> Chasing:
    known: dict[int, Instrument] = {TOKEN: instrument(), FUTURE.instrument_token: FUTURE}
    defaults: dict[str, Any] = {
        "broker": "paper", "marks": marks or {}, "find": known.get, "begins": begins, "percents": PERCENTS,
    }  # fmt: skip
    return Chasing(**{**defaults, **values})


def due(clock: int = NOW, **values: Any) -> ExitsDue:
    defaults: dict[str, Any] = {"account": ACCOUNT, "run_id": "run", "clock": clock, "revision": 1, "everything": True}
    return ExitsDue(**{**defaults, **values})


def asked(found: Exposure, *, clock: int = NOW, by: Chasing | None = None, **values: Any) -> list[Signal]:
    return list(exits_due(found, due(clock, **values), by or chasing()))


def brief(found: list[Signal]) -> list[tuple[str, str, Side | None, int | None]]:
    assert {one.intent for one in found} <= {Intent.REDUCE}
    return [(one.strategy, one.product.value, one.side, one.quantity) for one in found]


def leaving(**values: Any) -> PlannedOrder:
    """An exit of ten at the market."""
    return order(side=SELL, reduces=True, **values)


def overdue(one: PlannedOrder, done: int = 0, at: int = NOW, **values: Any) -> OrderFailed:
    return failed(one, done, event_time=at, is_overdue=True, **values)


class TestWhatIsDue:
    def test_every_position_of_every_product_that_is_in_scope(self) -> None:
        found = holding(10)
        holding(-4, strategy="rsi", into=found)
        holding(3, Product.CNC, strategy="slow", into=found)
        assert brief(asked(found)) == [
            ("momentum", "MIS", SELL, 10), ("rsi", "MIS", BUY, 4), ("slow", "CNC", SELL, 3),
        ]  # fmt: skip
        named = {"everything": False, "strategies": ("rsi", "nobody")}
        assert brief(asked(found, **named)) == [("rsi", "MIS", BUY, 4)]
        assert asked(found, everything=False) == []

    def test_flat_positions_are_not(self) -> None:
        assert asked(exposure()) == []

    def test_intraday_positions_from_their_second_on(self) -> None:
        found = holding(10)
        holding(3, Product.CNC, into=found)
        only = {"revision": 0, "everything": False, "intraday": True, "by": chasing(begins=lambda *_: NOW)}
        assert asked(found, clock=NOW - 1, **only) == []
        assert brief(asked(found, **only)) == [("momentum", "MIS", SELL, 10)]
        assert asked(found, **{**only, "intraday": False}) == []
        assert asked(found, **{**only, "by": chasing()}) == [], "a day without trading has no square-off"

    def test_units_an_exit_works_for_are_left_out_whatever_works_on_the_other_side(self) -> None:
        found = holding(10)
        working(found, SELL, 4, reduces=True)
        working(found, BUY, 100)
        assert brief(asked(found)) == [("momentum", "MIS", SELL, 6)]
        working(found, SELL, 6, reduces=True)
        assert asked(found) == []

    def test_no_more_than_may_be_sent_at_once(self) -> None:
        frozen = future(freeze_quantity=130)
        found = holding(65 * 30, of=frozen)
        (signal,) = asked(found, by=chasing(find=lambda _: frozen))
        assert signal.quantity == MOST_SLICES * 130
        result = answer(signal, found, of=frozen, picture=None)
        assert isinstance(result, AcceptedSignal)
        assert len(result.orders) == MOST_SLICES

    @pytest.mark.parametrize(
        "one",
        [None, instrument(tick_size=Decimal(0)), future(expiry=date(2026, 8, 19))],
        ids=["unknown", "index", "expired"],
    )
    def test_what_cannot_be_traded_is_not_asked_for_again_and_again(self, one: Instrument | None) -> None:
        assert asked(holding(10), by=chasing(find=lambda _: one)) == []

    def test_nothing_is_asked_for_while_the_market_is_closed(self) -> None:
        assert asked(holding(10), clock=OPEN - 1) == []
        assert len(asked(holding(10), clock=OPEN)) == 1

    @pytest.mark.parametrize(
        ("second", "tries", "said"),
        [
            (NOW, 0, "momentum holds 10 NSE:INFY (MIS)"),
            (NOW, 2, "momentum holds 10 NSE:INFY (MIS): 2 exits did not fill"),
            (OPEN - 1, 0, "momentum holds 10 NSE:INFY (MIS): it does not trade now"),
            (0, 0, "momentum holds 10 NSE:INFY (MIS): the market has said nothing yet"),
        ],
    )
    def test_a_line_says_what_keeps_a_position(self, second: int, tries: int, said: str) -> None:
        found = holding(10)
        found.exit_tries[POSITION] = Tries(tries)
        assert describe(found, found.account.positions[POSITION], second, chasing()) == said

    def test_the_price_is_the_last_one_known_else_what_was_paid(self) -> None:
        found = holding(10, price="1400")
        position = found.account.positions[POSITION]
        assert [one.origin.price for one in asked(found)] == [1400]
        position.mark = Decimal(1450)
        assert [one.origin.price for one in asked(found)] == [1450]
        assert [one.origin.price for one in asked(found, by=chasing(marks={KEY: Decimal(1500)}))] == [1500]

    def test_ids_repeat_with_the_message_and_differ_otherwise(self) -> None:
        found = holding(10)
        holding(3, Product.CNC, into=found)
        again, later, newer = asked(found), asked(found, clock=NOW + 1), asked(found, revision=2)
        assert asked(found) == again
        assert len({one.signal_id for one in (*again, *later, *newer)}) == 6


class TestTries:
    def test_each_exit_that_found_no_market_is_followed_by_a_wider_one_and_there_is_a_last(self) -> None:
        found, by = holding(10), chasing()
        protections, alarms, one = [], [], leaving()
        for number in range(MOST):
            at = NOW + 20 * number
            alarms.append(note_failed(found, overdue(one, at=at), by))
            again = follow_up(found, overdue(one, at=at), by, run_id="run")
            if again is None:
                break
            assert (again.side, again.quantity, again.origin.clock) == (SELL, 10, at + 1)
            protections.append(again.market_protection)
            one = leaving(order_id=f"try {number}", market_protection=again.market_protection, event_time=at + 1)
        assert protections == [1, 2, 3, 5]
        assert alarms == [False, False, False, False, True]
        assert asked(found, clock=NOW + 1000) == []
        assert "a person has to act" in describe(found, found.account.positions[POSITION], NOW, by)

    def test_the_first_step_is_wider_than_the_brokers_own_protection(self) -> None:
        """Two percent below a hundred rupees, half a percent above five hundred."""
        cheap, dear = holding(10, price="90"), holding(10, price="1500")
        for found, percent in ((cheap, 3), (dear, 1)):
            note_failed(found, overdue(leaving()), chasing())
            assert found.exit_tries[POSITION].protection == percent

    def test_only_the_rest_is_asked_for(self) -> None:
        found, by = holding(10), chasing()
        note_failed(found, overdue(leaving(), 7), by)
        again = follow_up(found, overdue(leaving(), 7), by, run_id="run")
        assert again is not None
        assert again.quantity == 3

    def test_what_was_cancelled_by_somebody_else_or_has_ended_otherwise_is_not_followed(self) -> None:
        found, by = holding(10), chasing()
        for one in (failed(leaving(), event_time=NOW), failed(leaving(), event_time=NOW, outcome=OrderStatus.REJECTED)):
            note_failed(found, one, by)
            assert follow_up(found, one, by, run_id="run") is None

    def test_an_exit_that_was_refused_is_asked_for_again_after_a_while(self) -> None:
        found = holding(10)
        note_failed(found, failed(leaving(), event_time=NOW, outcome=OrderStatus.REJECTED), chasing())
        assert asked(found, clock=NOW + REST_SECONDS - 1) == []
        (again,) = asked(found, clock=NOW + REST_SECONDS)
        assert again.market_protection == -1
        assert found.exit_tries[POSITION].count == 1

    def test_what_we_refused_ourselves_has_not_been_tried(self) -> None:
        found = holding(10)
        for number in range(20):
            late = failed(leaving(), event_time=NOW + number, outcome=OrderStatus.DENIED_LATE)
            assert not note_failed(found, late, chasing())
        assert found.exit_tries[POSITION].count == 0
        assert asked(found, clock=NOW + 20) == []

    def test_a_part_at_the_widest_protection_lets_it_go_on(self) -> None:
        found = holding(10)
        found.exit_tries[POSITION] = Tries(MOST - 1, NOW, 0, Decimal(5))
        widest = leaving(market_protection=Decimal(5))
        assert not note_failed(found, overdue(widest, 1), chasing())
        assert found.exit_tries[POSITION].count == MOST - 1
        assert note_failed(found, overdue(widest), chasing())

    @pytest.mark.parametrize(
        "values",
        [
            {"reduces": False},
            {"order_type": OrderType.LIMIT, "limit_price": Decimal(1500)},
            {"oco_group": "entry"},
        ],
    )
    def test_entries_and_what_rests_on_purpose_are_not_counted(self, values: dict[str, Any]) -> None:
        found = holding(10)
        one = order(**{"side": SELL, "reduces": True, **values})
        assert not note_failed(found, overdue(one), chasing())
        assert found.exit_tries == {}

    def test_a_flat_position_begins_anew_and_one_that_is_not_goes_on(self) -> None:
        found = holding(10)
        note_failed(found, overdue(leaving()), chasing())
        for number, (quantity, is_kept) in enumerate(((4, True), (6, False))):
            one = leaving(order_id=f"fill {number}", quantity=quantity)
            sold = filled(one, quantity, "1500", quantity, event_time=NOW)
            apply_fill(found, sold, instrument())
            note_filled(found, sold)
            assert (POSITION in found.exit_tries) is is_kept

    def test_an_operator_who_asks_again_begins_another_round(self) -> None:
        found = holding(10)
        found.exit_tries[POSITION] = Tries(MOST, NOW, 0, Decimal(5))
        found.closing = 3
        begin_round(found, 3)
        assert asked(found, revision=3) == []
        begin_round(found, 4)
        assert [one.market_protection for one in asked(found, revision=4)] == [-1]

    def test_the_square_off_does_not_count_what_was_tried_before_it(self) -> None:
        found = holding(10)
        found.exit_tries[POSITION] = Tries(MOST, NOW - 1, 0, Decimal(5))
        only: dict[str, Any] = {"revision": 0, "everything": False, "intraday": True}
        by = chasing(begins=lambda *_: NOW)
        assert len(asked(found, by=by, **only)) == 1
        found.exit_tries[POSITION] = Tries(MOST, NOW, 0, Decimal(5))
        assert asked(found, by=by, **only) == []

    def test_failures_long_apart_are_of_different_rounds(self) -> None:
        found = holding(10)
        for number in range(MOST + 3):
            at = NOW + number * (ROUND_SECONDS + 1)
            assert not note_failed(found, overdue(leaving(event_time=at), at=at), chasing())
            assert found.exit_tries[POSITION].count == 1

    def test_a_broker_that_gives_no_time_does_not_stop_the_chase(self) -> None:
        found, by = holding(10), chasing()
        one = overdue(leaving(event_time=NOW), at=0)
        note_failed(found, one, by)
        again = follow_up(found, one, by, run_id="")
        assert again is not None
        assert again.origin.clock == NOW + 1
        assert again.origin.run_id == one.order.run_id


@given(
    st.lists(
        st.tuples(st.sampled_from(["due", "fill", "overdue", "reject", "entry", "duplicate"]), st.integers(0, 9)),
        max_size=40,
    )
)
def test_however_often_it_is_asked_for_the_position_never_passes_zero(steps: list[tuple[str, int]]) -> None:
    """Exits are decided, filled in part, cancelled and asked for again in any order, and all that works may fill."""
    found, by, clock = holding(20), chasing(), NOW
    open_orders: dict[str, tuple[PlannedOrder, int]] = {}
    waiting: list[Signal] = []
    for number, (step, value) in enumerate(steps):
        clock += 1 + value % 2
        if step == "due":
            waiting += asked(found, clock=clock, by=by)
        elif step == "duplicate" and waiting:
            waiting.append(waiting[value % len(waiting)])
        elif step == "entry" and value < 3:
            entry = order(order_id=f"late {number}", quantity=value + 1)
            apply_fill(found, filled(entry, value + 1, "1500", value + 1, event_time=clock), instrument())
        elif open_orders:
            name = sorted(open_orders)[value % len(open_orders)]
            one, done = open_orders.pop(name)
            if step == "fill":
                units = min(value + 1, one.quantity - done)
                sold = filled(one, units, "1500", done + units, event_time=clock)
                apply_fill(found, sold, instrument())
                note_filled(found, sold)
                if done + units < one.quantity:
                    open_orders[name] = one, done + units
            else:
                outcome = OrderStatus.CANCELLED if step == "overdue" else OrderStatus.REJECTED
                end = failed(one, done, event_time=clock, outcome=outcome, is_overdue=step == "overdue")
                apply_failed(found, end)
                note_failed(found, end, by)
                again = follow_up(found, end, by, run_id="run")
                waiting += [again] if again is not None else []
        if waiting and value % 3 == 0:
            result = answer(waiting.pop(0), found)
            if isinstance(result, AcceptedSignal):
                reserve(found, result, instrument())
                open_orders |= {one.order_id: (one, 0) for one in result.orders}
        held = sum(one.quantity for one in found.account.positions.values())
        working_units = sum(one.quantity - done for one, done in open_orders.values())
        assert working_units <= held
