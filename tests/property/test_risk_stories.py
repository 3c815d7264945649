"""What holds through every story of fills, failures and repeats: exposure is released once, an exit never flips."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.control import TradingState
from models.messages.orders import Side
from models.messages.signals import AcceptedSignal, Intent
from tests.property.risk_stories import (
    KEY,
    STRATEGY,
    Story,
    closes,
    fates,
    opens,
    prices,
    reduces,
    sides,
    stories,
    targets,
    tell,
)
from trading.accounting.account import equity, position_quantity
from trading.accounting.day import DayEnd
from trading.risk.exposure import Exposure, roll_day

every = st.one_of(closes, reduces, opens(sides), targets(-60, 60))
Steps = list[tuple[str, Any]]
CLOSE = {"intent": Intent.CLOSE, "side": None, "quantity": None}
IN_FULL: Any = ([], None)


@given(stories(every))
def test_exposure_is_what_may_still_fill_and_is_released_once(steps: Steps) -> None:
    tell(Story(), steps).end()


@given(stories(st.one_of(closes, reduces, opens(st.just(Side.BUY)), targets(0, 60))))
def test_a_strategy_that_only_buys_and_closes_is_never_short(steps: Steps) -> None:
    """Whatever is filled, cancelled, rejected or denied late, and in whatever order that is heard of."""
    story = Story()
    for number in range(len(steps)):
        tell(story, steps[number : number + 1])
        assert story.held >= 0
    while story.under_way:
        story.deliver(len(story.under_way))
        assert story.held >= 0


@given(stories(st.one_of(closes, reduces, opens(st.just(Side.SELL)), targets(-60, 0))))
def test_a_strategy_that_only_sells_and_closes_is_never_long(steps: Steps) -> None:
    assert tell(Story(), steps).end() <= 0


@given(stories(every), st.one_of(closes, reduces), st.integers(0, 2), fates)
def test_what_reduces_does_not_pass_zero_even_when_it_fills_alone(
    steps: Steps, wish: dict[str, Any], later: int, fate: Any
) -> None:
    """All orders of its side that work may fill before it, and nothing of the other side."""
    story = tell(Story(), steps)
    before = story.standing
    result = story.wish(wish, later, fate)
    if not isinstance(result, AcceptedSignal):
        return
    side = result.orders[0].side
    after = before.extreme(side) + side.sign * sum(one.quantity for one in result.orders)
    assert all(one.reduces for one in result.orders)
    assert after * before.held >= 0


@given(stories(every), every, st.integers(0, 2), st.sampled_from([TradingState.REDUCING, TradingState.HALTED]))
def test_while_winding_down_every_order_brings_the_position_nearer_to_zero(
    steps: Steps, wish: dict[str, Any], later: int, state: TradingState
) -> None:
    story = tell(Story(), steps)
    story.end()
    held = story.held
    story.wish({**wish, "trading_state": state}, later, IN_FULL)
    after = story.end()
    assert abs(after) <= abs(held)
    assert after * held >= 0


@given(stories(every), fates)
def test_a_close_and_its_repeats_leave_a_strategy_flat(steps: Steps, fate: Any) -> None:
    story = tell(Story(), steps)
    story.end()
    story.wish(CLOSE, 2, fate)
    story.deliver(0)
    story.wish(CLOSE, 2, IN_FULL)
    story.end()
    story.wish(CLOSE, 2, IN_FULL)
    assert story.end() == 0


@given(stories(every), st.integers(-60, 60))
def test_a_target_is_reached(steps: Steps, target: int) -> None:
    story = tell(Story(), steps)
    story.end()
    wish = {"intent": Intent.TARGET, "side": None, "quantity": None, "target_quantity": target}
    story.wish(wish, 2, IN_FULL)
    story.wish(wish, 0, IN_FULL)  # a repeat finds nothing to do
    assert story.end() == target


@given(stories(every), prices)
def test_state_survives_bytes_and_a_day_roll_keeps_what_is_held(steps: Steps, mark: Any) -> None:
    story = tell(Story(), steps)
    found = msgspec.msgpack.decode(msgspec.msgpack.encode(story.exposure), type=Exposure)
    assert found == story.exposure
    worth = equity(found.account, {KEY: mark})
    roll_day(found, date(2026, 8, 21), DayEnd(date(2026, 8, 20), {KEY: mark}))
    assert position_quantity(found.account, STRATEGY, KEY) == story.held
    assert equity(found.account, {KEY: mark}) == worth == found.account.day_start_equity
