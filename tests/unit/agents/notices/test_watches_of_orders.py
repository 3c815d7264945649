"""What notices about orders fire on, what keeps them quiet, and when they say that all is well again."""

from __future__ import annotations

from msgspec.structs import replace

from agents.notices.denials import DenialsWatch
from agents.notices.differences import DifferencesWatch
from agents.notices.fills import FillsWatch
from agents.notices.unknown import UnknownWatch
from models.messages.orders import OrderStatus, Side
from models.messages.reconciliation import DifferenceState as D
from models.messages.reconciliation import ReconciliationRound
from tests.factories import ACCOUNT, AT, filled, order
from tests.unit.agents.notices.watching import NOW, became, denied, difference, due, one

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


def test_every_notice_fits_a_telephone() -> None:
    """Telegram takes 4,096 characters."""
    watch = DifferencesWatch(0, 0)
    for number in range(500):
        watch.hear(replace(became(D.APPEARED), difference=difference(f"k{number}", ours="9" * 60)), NOW)
    found = one(watch)
    assert len(found.title) + len(found.text) < 4_096
