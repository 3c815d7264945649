"""What each kind of notice fires on, what keeps it quiet, and when it says that all is well again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from agents.notices.alarms import EXITS_GIVEN_UP, AlarmsWatch, Counters
from agents.notices.denials import DenialsWatch
from agents.notices.differences import DifferencesWatch
from agents.notices.feed import FeedWatch
from agents.notices.fills import FillsWatch
from agents.notices.halts import HaltsWatch
from agents.notices.loss import LossWatch
from agents.notices.quiet import Watch
from agents.notices.unknown import UnknownWatch
from agents.notices.workers import WorkersWatch
from faust_app.runtime.notices import Notice
from faust_app.runtime.trading_state import ScopeState
from models.messages.control import TradingState, TradingStateChanged
from models.messages.market import Mark, Marks
from models.messages.orders import OrderStatus, Product, Side
from models.messages.portfolio import AccountAlarm, AlarmKind, PortfolioSnapshot, SnapshotCause
from models.messages.reconciliation import DifferenceState as D
from models.messages.reconciliation import OpenDifference, ReconciliationDifference, ReconciliationRound
from models.messages.signals import DeniedSignal
from tests.factories import ACCOUNT, AT, filled, order, signal

NOW = float(AT)


def due(watch: Watch, now: float = NOW, **options: Any) -> list[Notice]:
    return list(watch.due(now, **options))


def one(watch: Watch, now: float = NOW) -> Notice:
    (found,) = due(watch, now)
    return found


# Fills


def test_a_burst_of_fills_is_one_message_with_every_fill_counted() -> None:
    watch = FillsWatch(10, 300)
    bought, sold = order(quantity=30), order(order_id="sold", side=Side.SELL, instrument="NSE:TCS", quantity=5)
    watch.hear(filled(bought, 10, "1500", 10), NOW)
    watch.hear(filled(bought, 20, "1503", 30), NOW + 4)
    watch.hear(filled(sold, 5, "3000.50", 5), NOW + 9)
    assert due(watch, NOW + 9.9) == []
    found = one(watch, NOW + 10)
    assert found.title == "paper:main: 3 fills, bought 45,060.00 and sold 15,002.50 rupees"
    assert found.lines == (
        "bought 30 NSE:INFY at 1,502.00 rupees (momentum, 2 fills)",
        "sold 5 NSE:TCS at 3,000.50 rupees (momentum)",
    )
    assert "alpha-panda orders --broker paper" in found.text


def test_fills_after_a_message_are_gathered_until_the_quiet_period_ends_and_none_is_lost() -> None:
    watch = FillsWatch(10, 300)
    watch.hear(filled(order(), 1, "1500", 1), NOW)
    assert one(watch, NOW + 10)
    for second in range(20, 300):
        watch.hear(filled(order(order_id=f"o{second}"), 1, "1500", 1), NOW + second)
        assert due(watch, NOW + second) == []
    assert one(watch, NOW + 310).title.startswith("paper:main: 280 fills, bought 420,000.00 rupees")


def test_a_fill_that_is_delivered_again_is_counted_once() -> None:
    watch = FillsWatch(10, 0)
    fill = filled(order(), 10, "1500", 10)
    for second in (0, 1, 50):
        watch.hear(fill, NOW + second)
    assert "1 fill," in one(watch, NOW + 60).title
    watch.hear(fill, NOW + 70)
    assert due(watch, NOW + 200) == []


def test_fills_of_two_accounts_are_two_messages_and_the_last_look_does_not_wait() -> None:
    watch = FillsWatch(10, 300)
    watch.hear(filled(order(), 1, "1500", 1), NOW)
    watch.hear(filled(order(order_id="z", account="zerodha:main"), 1, "1500", 1), NOW)
    assert [found.subject for found in due(watch, NOW + 1, is_last=True)] == [ACCOUNT, "zerodha:main"]


def test_many_instruments_are_cut_with_their_number() -> None:
    watch = FillsWatch(1, 300)
    for number in range(14):
        watch.hear(filled(order(order_id=f"o{number}", instrument=f"NSE:I{number}"), 1, "1500", 1), NOW)
    found = one(watch, NOW + 1)
    assert len(found.lines) == 11
    assert found.lines[-1] == "and 4 more instruments"


# Denials


def denied(code: str = "order_rate", account: str = ACCOUNT) -> DeniedSignal:
    return DeniedSignal(
        signal_id="s",
        account=account,
        strategy="momentum",
        instrument="NSE:INFY",
        code=code,
        message="no",
        signal=signal(),
    )


def test_denials_at_the_limit_are_quiet_and_one_more_is_told_once() -> None:
    watch = DenialsWatch(3)
    for code in ("order_rate", "order_rate", "stale_feed"):
        watch.hear(denied(code), NOW)
    assert due(watch) == []
    watch.hear(denied(), NOW)
    found = one(watch)
    assert found.title == "paper:main: 4 denials in a minute, more than 3"
    assert found.lines == ("order_rate: 3", "stale_feed: 1")
    watch.hear(denied(), NOW)
    assert due(watch) == []


def test_denials_are_over_below_half_of_the_limit_within_a_minute() -> None:
    watch = DenialsWatch(4)
    for second in range(5):
        watch.hear(denied(), NOW + second * 5)
    assert one(watch, NOW + 20).state == "above"
    assert due(watch, NOW + 60) == []
    assert due(watch, NOW + 67) == []  # three are left
    assert one(watch, NOW + 75).state == "below"
    assert due(watch, NOW + 500) == []


def test_slow_denials_and_those_of_two_accounts_do_not_add_up() -> None:
    watch = DenialsWatch(2)
    for second in range(0, 600, 30):
        watch.hear(denied(), NOW + second)
        watch.hear(denied(account="zerodha:main"), NOW + second)
        assert due(watch, NOW + second + 1) == []


# Halts


def changed(state: TradingState, revision: int, scope: str = "all", **values: Any) -> TradingStateChanged:
    return TradingStateChanged(scope=scope, state=state, revision=revision, actor="asha", reason="news", **values)


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


# Unknown orders


def test_an_order_without_an_answer_is_told_after_its_time_and_its_answer_too() -> None:
    watch = UnknownWatch("zerodha:main", 30)
    watch.hear("o1", OrderStatus.UNKNOWN, NOW)
    watch.hear("o1", OrderStatus.UNKNOWN, NOW + 20)
    assert due(watch, NOW + 29.9) == []
    found = one(watch, NOW + 30)
    assert found.title == "zerodha:main: 1 order without an answer for 30 s"
    assert "o1, for 30 s" in found.lines
    assert due(watch, NOW + 40) == []
    watch.hear("o1", OrderStatus.REJECTED, NOW + 41)
    answered = one(watch, NOW + 42)
    assert (answered.state, answered.lines) == ("answered", ("o1: rejected",))
    assert due(watch, NOW + 100) == []


def test_an_order_that_is_answered_in_time_is_never_told() -> None:
    watch = UnknownWatch("zerodha:main", 30)
    watch.hear("o1", OrderStatus.UNKNOWN, NOW)
    watch.hear("o1", OrderStatus.WORKING, NOW + 29)
    watch.hear("o2", OrderStatus.FILLED, NOW)
    assert due(watch, NOW + 100) == []


def test_a_second_unknown_order_is_told_beside_the_first() -> None:
    watch = UnknownWatch("zerodha:main", 30)
    watch.hear("o1", OrderStatus.UNKNOWN, NOW)
    first = one(watch, NOW + 30)
    watch.hear("o2", OrderStatus.UNKNOWN, NOW + 10)
    second = one(watch, NOW + 40)
    assert "2 orders" in second.title
    assert second.state != first.state
    watch.hear("o1", OrderStatus.FILLED, NOW + 41)
    assert due(watch, NOW + 42) == []  # the other one has no answer yet
    watch.hear("o2", OrderStatus.CANCELLED, NOW + 43)
    assert one(watch, NOW + 44).lines == ("o1: filled", "o2: cancelled")


# Differences


def difference(key: str = "k", **values: Any) -> OpenDifference:
    defaults: dict[str, Any] = {
        "kind": "position_quantity",
        "subject": "NSE:INFY MIS",
        "severity": "blocks_instrument",
        "ours": "10",
        "theirs": "0",
        "value": "10/0",
        "since": AT,
    }
    return OpenDifference(key=key, **{**defaults, **values})


def became(state: D, **values: Any) -> ReconciliationDifference:
    return ReconciliationDifference(account="zerodha:main", state=state, difference=difference(**values), at=AT)


def test_a_difference_that_opens_and_one_that_closes_are_told() -> None:
    watch = DifferencesWatch(10, 0)
    watch.hear(became(D.APPEARED), NOW)
    found = one(watch, NOW + 10)
    assert found.title == "zerodha:main: differences from the broker: 1 opened"
    assert found.lines[0].startswith("opened position_quantity NSE:INFY MIS: ours 10, theirs 0 (blocks_instrument")
    assert found.lines[1] == "1 difference still keeps entries back"
    watch.hear(became(D.RESOLVED), NOW + 20)
    closed = one(watch, NOW + 30)
    assert closed.title.endswith("1 closed")
    assert closed.lines[1] == "Nothing blocks entries"


def test_a_difference_told_again_is_quiet_and_one_with_other_values_is_not() -> None:
    watch = DifferencesWatch(0, 0)
    watch.hear(became(D.APPEARED), NOW)
    assert one(watch)
    watch.hear(became(D.APPEARED), NOW)
    assert due(watch) == []
    watch.hear(became(D.CHANGED, value="10/5", theirs="5"), NOW)
    assert "theirs 5" in one(watch).text


def test_an_accepted_difference_is_told_once_and_blocks_no_more() -> None:
    watch = DifferencesWatch(0, 0)
    watch.hear(became(D.APPEARED), NOW)
    assert one(watch)
    watch.hear(became(D.ACCEPTED, is_accepted=True), NOW)
    watch.hear(became(D.ACCEPTED, is_accepted=True), NOW)
    found = one(watch)
    assert found.title.endswith("1 accepted")
    assert "Nothing blocks entries" in found.text


def test_what_was_open_before_the_start_and_what_stops_nothing_is_not_told() -> None:
    watch = DifferencesWatch(0, 0)
    before = ReconciliationRound(account="zerodha:main", at=AT, number=1, open=(difference(),))
    watch.hear_round(before)
    watch.hear(became(D.APPEARED), NOW)
    watch.hear(became(D.APPEARED, key="other", severity="info"), NOW)
    watch.hear(became(D.RESOLVED, key="never heard of"), NOW)
    assert due(watch) == []
    watch.hear(became(D.RESOLVED), NOW)
    assert one(watch).title.endswith("1 closed")


# Feed

SOME = Marks(run_id="run", clock=AT, marks=(Mark(1, 1, AT, "continuous"),))
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


def snapshot(day_pnl: str = "0", alarms: tuple[AccountAlarm, ...] = (), at: int = AT) -> PortfolioSnapshot:
    money = dict.fromkeys(("start_cash", "cash", "position_value", "realised", "unrealised", "charges"), Decimal(0))
    return PortfolioSnapshot(
        account=ACCOUNT,
        cause=SnapshotCause.MARK,
        event_time=at,
        equity=Decimal(0),
        fills=1,
        day_pnl=Decimal(day_pnl),
        alarms=alarms,
        **money,
    )


def alarm(instrument: str = "NFO:INFYFUT", quantity: int = 500) -> AccountAlarm:
    return AccountAlarm(
        kind=AlarmKind.DELIVERY_NEAR, strategy="rsi", instrument=instrument, product=Product.NRML, quantity=quantity
    )


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


def test_every_notice_fits_a_telephone() -> None:
    """Telegram takes 4,096 characters."""
    watch = DifferencesWatch(0, 0)
    for number in range(500):
        watch.hear(replace(became(D.APPEARED), difference=difference(f"k{number}", ours="9" * 60)), NOW)
    found = one(watch)
    assert len(found.title) + len(found.text) < 4_096
