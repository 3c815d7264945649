"""Legs of a group: their entries stand or fall together, what reduces always passes."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from tests.factories import exposure, instrument, limits, market, origin
from tests.unit.trading.risk.asking import brief, holding, of, target
from trading.risk.chain import decide
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure
from trading.risk.groups import Leg, collect, decide_together, legs_in
from trading.risk.limits import Limits

INFY = instrument()
TCS = instrument(instrument_token=408_321, exchange_token=1595, tradingsymbol="TCS")
GROUP = "1787195700/2"


def leg(number: int, quantity: int, **values: Any) -> Signal:
    """The wish for one leg, at 1,500 rupees."""
    one = (INFY, TCS)[number]
    seen = origin(instrument_token=one.instrument_token, price=Decimal(1500))
    return target(quantity, **of(one), signal_id=f"leg{number}", leg=number, group=GROUP, origin=seen, **values)


def together(found: Exposure, limit: Limits, *signals: Signal) -> list[str | list[tuple[Side, int, bool]]]:
    """Codes of denials, orders of acceptances; a rest is shown after its orders."""
    legs = [Leg(one, market(), (INFY, TCS)[one.leg]) for one in signals]
    shown: list[Any] = []
    for result in decide_together(legs, found, limit):
        if isinstance(result, DeniedSignal):
            shown.append(result.code)
        else:
            rest = [] if result.rest is None else [result.rest.code]
            shown.append([*map(brief, result.orders), *rest])
    return shown


def pair(first: int, second: int, strategy_holds: Exposure | None = None) -> Exposure:
    """An account that holds so much of each leg."""
    found = strategy_holds or exposure()
    for quantity, one in ((first, INFY), (second, TCS)):
        if quantity:
            found = holding(quantity, of=one, into=found)
    return found


def test_both_entries_pass_together() -> None:
    assert together(exposure(), limits(), leg(0, -10), leg(1, 6)) == [[(Side.SELL, 10, False)], [(Side.BUY, 6, False)]]


@pytest.mark.parametrize(("first", "second"), [(-10, 1001), (-1001, 6)], ids=["second", "first"])
def test_an_entry_does_not_pass_when_the_other_is_denied(first: int, second: int) -> None:
    found = together(exposure(), limits(max_order_quantity=1000), leg(0, first), leg(1, second))
    assert sorted(map(str, found)) == [ReasonCode.GROUP_INCOMPLETE.value, ReasonCode.QUANTITY_LIMIT.value]


def test_the_denial_names_the_leg_and_its_reason() -> None:
    legs = [Leg(leg(0, -10), market(), INFY), Leg(leg(1, 1001), market(), TCS)]
    first, second = decide_together(legs, exposure(), limits())
    assert isinstance(first, DeniedSignal)
    assert isinstance(second, DeniedSignal)
    assert first.message == f"NSE:TCS, of the same group, was denied: {second.message}"
    assert first.values == {"group": GROUP, "leg_denied": "NSE:TCS", "leg_code": "quantity_limit"}


def test_the_second_leg_is_judged_with_the_first_one_reserved() -> None:
    """Each alone stays below the limit of 20,000 rupees, both together do not."""
    tight = limits(max_gross_exposure=Decimal(20_000))
    for one in (leg(0, 10), leg(1, 10)):
        assert together(exposure(), tight, one) == [[(Side.BUY, 10, False)]]
    assert together(exposure(), tight, leg(0, 10), leg(1, 10)) == ["group_incomplete", "gross_exposure"]


def test_exits_pass_whatever_becomes_of_the_other_leg() -> None:
    """The second leg may not be entered: it is too large. Closing the first is not held back."""
    found = together(pair(-10, 0), limits(max_order_quantity=1000), leg(0, 0), leg(1, 1001))
    assert found == [[(Side.BUY, 10, True)], "quantity_limit"]


def test_a_lone_leg_is_closed_by_the_exit_of_the_pair() -> None:
    """The other one never filled: it has nothing to do, and denies nobody."""
    assert together(pair(-10, 0), limits(), leg(0, 0), leg(1, 0)) == [[(Side.BUY, 10, True)], "nothing_to_do"]


def test_a_leg_that_is_there_already_denies_nobody() -> None:
    assert together(pair(-10, 0), limits(), leg(0, -10), leg(1, 6)) == ["nothing_to_do", [(Side.BUY, 6, False)]]


def test_a_flip_keeps_its_exit_when_the_other_leg_is_denied() -> None:
    found = together(pair(10, 0), limits(max_order_quantity=1000), leg(0, -10), leg(1, 1001))
    assert found == [[(Side.SELL, 10, True), "group_incomplete"], "quantity_limit"]


def test_a_leg_whose_own_entry_is_refused_after_its_exit_takes_the_others_with_it() -> None:
    found = together(pair(10, 0), limits(max_order_quantity=1000), leg(0, -1001), leg(1, 6))
    assert found == [[(Side.SELL, 10, True), "quantity_limit"], "group_incomplete"]


quantities = st.integers(-1200, 1200)


@given(quantities, quantities, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 1500))
def test_never_an_entry_of_one_leg_alone(first: int, second: int, held: int, held_too: int, most: int) -> None:
    """Unless the other was where it should be, and always every exit that would pass alone."""
    found, limit = pair(held, held_too), limits(max_order_quantity=most, max_position_quantity=10**6)
    before = deepcopy(found)
    legs = [Leg(leg(0, first), market(), INFY), Leg(leg(1, second), market(), TCS)]
    results = decide_together(legs, found, limit)
    assert found == before
    entered = [isinstance(one, AcceptedSignal) and not all(o.reduces for o in one.orders) for one in results]
    refused = [one if isinstance(one, DeniedSignal) else one.rest for one in results]
    lacking = [one is not None and one.code != "nothing_to_do" for one in refused]
    assert not (any(entered) and any(lacking))
    for one, result in zip(legs, results, strict=True):
        alone = decide(one.signal, found, limit, one.market, one.instrument)
        if isinstance(alone, AcceptedSignal):
            exits = [order for order in alone.orders if order.reduces]
            got = result.orders if isinstance(result, AcceptedSignal) else ()
            assert [order for order in got if order.reduces] == exits


def test_legs_wait_for_each_other_and_are_decided_in_the_order_they_came() -> None:
    found, alone = exposure(), target(5)
    assert collect(found, alone) == (alone,)
    first, second = leg(0, -10), leg(1, 6)
    assert collect(found, first) == ()
    assert collect(found, alone) == (alone,)
    assert collect(found, second) == (first, second)
    assert found.waiting == {}


def test_strategies_do_not_complete_each_others_groups() -> None:
    found = exposure()
    assert collect(found, leg(0, -10)) == ()
    assert collect(found, leg(1, 6, strategy="another")) == ()


@pytest.mark.parametrize(
    ("group", "legs"), [("", 1), ("a/2", 2), ("a", 1), ("a/0", 1), ("a/b", 1), ("a/", 1), ("7/3", 3), ("a/²", 1)]
)
def test_the_number_of_legs_follows_the_last_slash(group: str, legs: int) -> None:
    assert legs_in(group) == legs
