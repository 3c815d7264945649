"""Last prices and the market's clock, as marks come in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faust_app.runtime.codec import root
from faust_app.runtime.market_view import MarketView
from models.messages.control import LimitsChanged
from models.messages.market import Mark, Marks
from tests import factories
from tests.unit.runtime.configurations import configured
from trading.market.instruments import InstrumentRegistry

INFY = factories.instrument()
TCS = factories.instrument(instrument_token=2, tradingsymbol="TCS")
UNKNOWN_TOKEN = 99


def mark(token: int, price: int, at: int = 1) -> Mark:
    return Mark(token, price, at, "continuous")


def marks(clock: int, *found: Mark, run_id: str = "run") -> Marks:
    return Marks(run_id=run_id, clock=clock, marks=found)


@pytest.fixture
def view() -> MarketView:
    return MarketView(configured(), InstrumentRegistry((INFY, TCS)))


def test_price_is_the_last_mark_in_exact_rupees(view: MarketView) -> None:
    view.apply(marks(1, mark(INFY.instrument_token, 15_000_500)))
    view.apply(marks(2, mark(INFY.instrument_token, 15_001_234)))
    assert view.price(INFY.key) == Decimal("1500.1234")
    assert view.prices[INFY.key] == Decimal("1500.1234")


def test_instrument_without_a_mark_has_no_price(view: MarketView) -> None:
    assert view.price(TCS.key) is None
    assert view.price("NSE:NOBODY") is None
    assert view.prices.get(TCS.key) is None
    assert TCS.key not in view.prices
    with pytest.raises(KeyError):
        view.prices["NSE:NOBODY"]


def test_message_keeps_the_marks_it_does_not_mention(view: MarketView) -> None:
    view.apply(marks(1, mark(INFY.instrument_token, 10_000)))
    view.apply(marks(2, mark(TCS.instrument_token, 20_000)))
    assert dict(view.prices) == {INFY.key: Decimal(1), TCS.key: Decimal(2)}


def test_mapping_of_prices_leaves_unknown_instruments_out(view: MarketView) -> None:
    view.apply(marks(1, mark(UNKNOWN_TOKEN, 10_000), mark(INFY.instrument_token, 10_000)))
    assert list(view.prices) == [INFY.key]
    assert len(view.prices) == 1


def test_instruments_loaded_later_have_prices_at_once() -> None:
    view = MarketView(configured(), InstrumentRegistry(()))
    view.apply(marks(1, mark(INFY.instrument_token, 10_000)))
    assert dict(view.prices) == {}
    view.registry = InstrumentRegistry((INFY,))
    assert dict(view.prices) == {INFY.key: Decimal(1)}


@given(st.lists(st.integers(0, 100), min_size=1))
def test_clock_of_a_run_never_goes_back(clocks: list[int]) -> None:
    view = MarketView(configured(), InstrumentRegistry(()))
    seen = []
    for clock in clocks:
        view.apply(marks(clock))
        seen.append(view.clock)
    assert seen == [max(clocks[: number + 1]) for number in range(len(clocks))]


def test_new_run_sets_its_own_clock(view: MarketView) -> None:
    view.apply(marks(1000))
    view.apply(marks(10, run_id="replay"))
    assert (view.clock, view.run_id) == (10, "replay")


def test_listeners_hear_every_message_after_it_is_applied(view: MarketView) -> None:
    heard: list[tuple[int, int]] = []
    view.on_marks(lambda found: heard.append((found.clock, view.clock)))
    for clock in (1, 3, 2):
        view.apply(marks(clock))
    assert heard == [(1, 1), (3, 3), (2, 3)]


DAY = 86_400


def test_prices_at_which_a_day_ended_stay_when_the_next_one_has_its_own(view: MarketView) -> None:
    first, second, third = date(1970, 1, 2), date(1970, 1, 3), date(1970, 1, 7)
    assert view.end_before(first) is None
    view.apply(marks(DAY, mark(INFY.instrument_token, 10_000), mark(UNKNOWN_TOKEN, 10_000)))
    view.apply(marks(DAY + 60, mark(INFY.instrument_token, 20_000)))
    assert view.end_before(first) is None
    assert ended(view, second) == (first, {INFY.key: Decimal(2)})  # before the second day's first mark
    view.apply(marks(2 * DAY, mark(INFY.instrument_token, 30_000), mark(TCS.instrument_token, 10_000)))
    assert ended(view, second) == (first, {INFY.key: Decimal(2)})  # and after
    view.apply(marks(2 * DAY - 1, mark(INFY.instrument_token, 40_000)))  # late, and of the day before
    assert ended(view, second) == (first, {INFY.key: Decimal(2)})
    view.apply(marks(6 * DAY))
    assert ended(view, third) == (second, {INFY.key: Decimal(4), TCS.key: Decimal(1)})


def ended(view: MarketView, day: date) -> tuple[date, dict[str, Decimal]]:
    found = view.end_before(day)
    assert found is not None
    return found.day, dict(found.prices)


def test_a_run_that_goes_on_keeps_how_the_day_before_ended(view: MarketView) -> None:
    view.apply(marks(DAY, mark(INFY.instrument_token, 10_000)))
    view.apply(marks(2 * DAY, mark(INFY.instrument_token, 20_000), run_id="the next morning"))
    view.apply(marks(2 * DAY + 60, mark(INFY.instrument_token, 30_000), run_id="after a restart"))
    assert ended(view, date(1970, 1, 3)) == (date(1970, 1, 2), {INFY.key: Decimal(1)})


def test_a_run_that_goes_back_has_no_day_behind_it(view: MarketView) -> None:
    view.apply(marks(3 * DAY))
    view.apply(marks(4 * DAY))
    view.apply(marks(2 * DAY, run_id="replay"))
    assert view.end_before(date(1970, 1, 3)) is None


def event(body: Any) -> Any:
    return root(body, message_id="id", broker="shared", key="-", source="feed", at=datetime(2026, 1, 1, tzinfo=UTC))


def test_only_marks_are_taken_from_the_topic(view: MarketView) -> None:
    view.reader._on_event(event(LimitsChanged(scope="all", actor="me", reason="")))
    assert view.clock == 0
    view.reader._on_event(event(marks(7)))
    assert view.clock == 7
