"""What notices about accounts, the feed and workers fire on, what keeps them quiet, and when all is well again."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agents.notices.alarms import EXITS_GIVEN_UP, AlarmsWatch, Counters
from agents.notices.feed import FeedWatch
from agents.notices.halts import HaltsWatch
from agents.notices.loss import LossWatch
from agents.notices.workers import WorkersWatch
from faust_app.runtime.trading_state import ScopeState
from models.messages.control import TradingState
from models.messages.market import Marks
from tests.factories import ACCOUNT, AT
from tests.unit.agents.notices.watching import NOW, SOME, alarm, changed, due, one, snapshot

# Halts


def test_a_halt_and_a_resumption_say_who_why_and_what_next() -> None:
    watch = HaltsWatch()
    watch.hear(changed(TradingState.HALTED, 1), NOW)
    halted = one(watch)
    assert halted.title == "everything is HALTED: no entries, exits pass"
    assert halted.lines == ("By asha: news (revision 1)",)
    assert "alpha-panda resume" in halted.text
    watch.hear(changed(TradingState.ACTIVE, 2), NOW)
    assert one(watch).title == "everything trades again"


@pytest.mark.parametrize(
    ("scope", "resume"), [("broker:zerodha", "resume --broker zerodha"), ("strategy:rsi", "resume --strategy rsi")]
)
def test_a_scope_is_named_with_its_command(scope: str, resume: str) -> None:
    watch = HaltsWatch()
    watch.hear(changed(TradingState.REDUCING, 3, scope, flatten=True), NOW)
    found = one(watch)
    assert "is being closed" in found.title
    assert resume in found.advice
    assert "docs/runbooks/flatten.md" in found.advice


def test_a_change_is_told_once_whether_heard_or_seen_in_redis_first() -> None:
    watch = HaltsWatch()
    watch.look({}, NOW)
    watch.hear(changed(TradingState.HALTED, 5), NOW)
    watch.look({"all": ScopeState(TradingState.HALTED, 5, "asha", "news")}, NOW)
    assert one(watch)
    watch.look({"all": ScopeState(TradingState.ACTIVE, 6, "asha", "")}, NOW)
    watch.hear(changed(TradingState.ACTIVE, 6), NOW)
    found = one(watch)
    assert found.state == "active"
    assert due(watch) == []


def test_what_was_halted_before_the_start_is_not_told_again() -> None:
    watch = HaltsWatch()
    watch.look({"all": ScopeState(TradingState.HALTED, 5, "asha", "news")}, NOW)
    assert due(watch) == []
    watch.look({"all": ScopeState(TradingState.HALTED, 7, "asha", "again")}, NOW)
    assert one(watch)


# Feed

EMPTY = Marks(run_id="run", clock=AT)


def test_a_feed_is_dead_at_its_limit_and_alive_with_the_next_tick() -> None:
    watch = FeedWatch(10, lambda: True, NOW)
    watch.hear(SOME, NOW + 5)
    assert due(watch, NOW + 14.9) == []
    dead = one(watch, NOW + 15)
    assert (dead.state, dead.title) == ("dead", "No tick for 10 s while the market is open")
    assert due(watch, NOW + 50) == []
    watch.hear(EMPTY, NOW + 51)
    assert due(watch, NOW + 51) == []
    watch.hear(SOME, NOW + 65)
    back = one(watch, NOW + 66)
    assert (back.state, back.title) == ("alive", "Ticks come again, after 60 s")
    assert due(watch, NOW + 70) == []
    assert one(watch, NOW + 75).state == "dead"


def test_a_closed_market_is_silent_and_its_opening_begins_the_silence_anew() -> None:
    is_open = False
    watch = FeedWatch(10, lambda: is_open, NOW)
    assert due(watch, NOW + 1000) == []
    is_open = True
    assert due(watch, NOW + 1009) == []
    assert one(watch, NOW + 1010).state == "dead"
    is_open = False
    assert due(watch, NOW + 1011) == []
    is_open = True
    assert due(watch, NOW + 1020) == []


# Alarms


def test_risen_counters_are_gathered_by_broker() -> None:
    watch = AlarmsWatch(10, 300)
    watch.risen("zerodha", "overfill", 1, NOW)
    watch.risen("zerodha", EXITS_GIVEN_UP, 2, NOW + 1)
    watch.risen("zerodha", "overfill", 1, NOW + 2)
    assert due(watch, NOW + 9) == []
    found = one(watch, NOW + 10)
    assert found.title == "zerodha: 4 alarms, a person has to look"
    assert set(found.lines) == {"overfill: 2", "exits given up: 2"}
    assert "docs/runbooks/flatten.md" in found.advice


def test_a_position_that_needs_a_person_is_told_once_a_day_and_a_further_one_too() -> None:
    watch = AlarmsWatch(10, 300)
    watch.hear(snapshot())
    assert due(watch) == []
    watch.hear(snapshot(alarms=(alarm(),)))
    first = one(watch)
    assert first.title == "paper:main: 1 position needs a person"
    assert first.lines == ("delivery_near: rsi in NFO:INFYFUT (NRML): 500 units",)
    watch.hear(snapshot(alarms=(alarm(quantity=250),)))
    assert due(watch) == []
    watch.hear(snapshot(alarms=(alarm(), alarm("NFO:TCSFUT"))))
    second = one(watch)
    assert second.once != first.once
    again = AlarmsWatch(10, 300)  # after a restart
    again.hear(snapshot(alarms=(alarm(quantity=400),)))
    assert one(again).once == first.once
    again.hear(snapshot())
    assert due(again) == []


def test_counters_rise_from_the_first_look_on_and_from_nothing_after_a_restart() -> None:
    counters, key = Counters(), ("paper", "overfill")
    assert list(counters.rises("engine", 1.0, {key: 5.0})) == []
    assert list(counters.rises("engine", 1.0, {key: 5.0})) == []
    assert list(counters.rises("engine", 1.0, {key: 7.0})) == [("paper", "overfill", 2)]
    assert list(counters.rises("engine", 2.0, {key: 1.0})) == [("paper", "overfill", 1)]
    assert list(counters.rises("engine", 2.0, {key: 1.0, ("paper", "risen"): 1.0})) == [("paper", "risen", 1)]


# Loss


@pytest.mark.parametrize(
    ("day_pnl", "level"),
    [("-39999.99", None), ("-40000", "80"), ("-49999.99", "80"), ("-50000", "100"), ("-80000", "100"), ("60000", None)],
)
def test_a_loss_is_told_from_its_level_on(day_pnl: str, level: str | None) -> None:
    watch = LossWatch()
    watch.limits[ACCOUNT] = Decimal(50_000)
    watch.hear(snapshot(day_pnl))
    assert [found.state for found in due(watch)] == ([level] if level else [])


def test_a_loss_says_its_figures_and_is_told_once_a_day_level_and_limit() -> None:
    watch = LossWatch()
    watch.limits[ACCOUNT] = Decimal(50_000)
    watch.hear(snapshot("-41000.50"))
    first = one(watch)
    assert first.title == "paper:main: the day's loss is at 82 % of its limit"
    assert "Lost 41,000.50 of 50,000.00 rupees" in first.lines[0]
    watch.hear(snapshot("-42000"))
    assert one(watch).once == first.once
    others = {first.once}
    watch.hear(snapshot("-50000"))
    others.add(one(watch).once)
    watch.hear(snapshot("-42000", at=AT + 86_400))
    others.add(one(watch).once)
    watch.limits[ACCOUNT] = Decimal(51_000)
    watch.hear(snapshot("-42000"))
    others.add(one(watch).once)
    assert len(others) == 4


def test_a_loss_waits_for_the_limit() -> None:
    watch = LossWatch()
    watch.hear(snapshot("-50000"))
    assert due(watch) == []
    watch.limits[ACCOUNT] = Decimal(50_000)
    assert one(watch).state == "100"


# Workers


def test_a_worker_that_keeps_restarting_is_told_and_when_it_stays_up() -> None:
    watch = WorkersWatch()
    for number, second in enumerate((0, 5, 10, 15)):
        watch.answered("ledger", float(number), NOW + second)
        found = due(watch, NOW + second)
        assert bool(found) == (number == 3)
    assert found[0].title == "ledger has restarted 3 times in 10 minutes"
    for second in range(20, 616, 5):
        watch.answered("ledger", 3.0, NOW + second)
        assert due(watch, NOW + second) == []
    watch.answered("ledger", 3.0, NOW + 616)
    assert one(watch, NOW + 616).title == "ledger is well again"


def test_a_worker_that_does_not_answer_is_told_and_when_it_does() -> None:
    watch = WorkersWatch()
    watch.answered("ledger", 1.0, NOW)
    assert due(watch, NOW + 29) == []
    assert one(watch, NOW + 30).title == "ledger has not answered for 30 s"
    assert due(watch, NOW + 60) == []
    watch.answered("ledger", 2.0, NOW + 61)
    assert one(watch, NOW + 61).state == "well"


def test_one_restart_and_the_stacks_own_end_are_quiet() -> None:
    watch = WorkersWatch()
    watch.answered("ledger", 1.0, NOW)
    watch.answered("ledger", 2.0, NOW + 5)
    assert due(watch, NOW + 5) == []
    assert due(watch, NOW + 100, is_last=True) == []
    watch.forget(set())
    assert due(watch, NOW + 100) == []
