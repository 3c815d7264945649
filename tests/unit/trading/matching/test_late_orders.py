"""An order that arrives late lives through what it has missed: the clock, the phases and the ticks, in their order."""

from __future__ import annotations

from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Tick
from tests.factories import AT, TOKEN, limit_order, order
from tests.unit.trading.matching.paper import exchange_with, fills, later, show, stop
from trading.market.sessions import Phase, Stage
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment, Seen
from trading.matching.rules import MatchingRules

S = OrderStatus
OWN = later(0, 5)
NOW = limit_order("1500.05", quantity=500, tick_sequence=5)


def at(seconds: int, *ticks: Tick, phase: Phase = Phase.CONTINUOUS) -> Seen:
    return Seen(Moment(AT + seconds, phase), ticks)


def arrive(*passed: Seen, one: PlannedOrder = NOW, latency_ms: int = 150) -> list[OrderUpdate]:
    return PaperExchange(MatchingRules(latency_ms=latency_ms)).submit(one, passed=passed)


def test_it_meets_what_came_after_its_own_tick() -> None:
    found = arrive(at(0, OWN), at(1, later(1, 6)), at(2, later(2, 7)))
    assert [quantity for quantity, _ in fills(found)] == [100, 100, 300]  # at last, trades went through the limit


def test_it_meets_the_rest_of_its_own_frame_and_not_what_was_before() -> None:
    stale = later(-1, 4)
    found = arrive(at(0, stale), at(0, stale, OWN, later(0, 6)), latency_ms=0)
    assert len(fills(found)) == 1


def test_a_phase_before_its_own_tick_does_not_touch_it() -> None:
    closed = Seen(Moment(AT + 1, Phase.CLOSED), (later(0, 4),))
    own = Seen(Moment(AT + 1), (OWN,))
    assert [one.status for one in arrive(closed, own)] == [S.WORKING]


def test_without_its_own_tick_everything_that_has_passed_counts() -> None:
    found = arrive(at(1, later(1, 6)), at(2, later(2, 7, volume=500)))
    assert len(fills(found)) == 2


def test_the_session_that_ended_meanwhile_has_ended_it_too() -> None:
    found = arrive(at(0, OWN), at(1, phase=Phase.CLOSED), at(2, later(2, 6)))
    assert [one.status for one in found] == [S.WORKING, S.EXPIRED]


def test_a_tick_before_the_close_is_met_before_it() -> None:
    found = arrive(at(0, OWN), at(1, later(1, 6)), at(2, phase=Phase.CLOSED))
    assert [one.status for one in found] == [S.WORKING, S.PARTIALLY_FILLED, S.EXPIRED]


def test_its_time_to_live_runs_while_it_is_under_way() -> None:
    one = limit_order("1500.05", validity=Validity.TTL, validity_minutes=1, tick_sequence=5)
    found = arrive(at(0, OWN), at(60), at(61, later(61, 6)), one=one)
    assert [each.status for each in found] == [S.WORKING, S.EXPIRED]
    assert found[-1].reason == "Validity of 1 minutes ended"


def test_the_auction_it_arrives_in_refuses_it() -> None:
    auction = Seen(Moment(AT + 1, Phase.CLOSING_AUCTION, Stage.REFERENCE))
    found = arrive(at(0, OWN), auction)
    assert [one.status for one in found] == [S.WORKING, S.REJECTED]


def test_the_phase_counts_when_it_arrives_and_not_when_it_is_sent() -> None:
    auction = Seen(Moment(AT, Phase.CLOSING_AUCTION, Stage.REFERENCE))
    found = arrive(at(-1, OWN), auction, at(1))
    assert [one.status for one in found] == [S.WORKING]


def test_the_day_that_ended_says_so() -> None:
    exchange = exchange_with(limit_order("1400"))
    (report,) = exchange.on_clock(TOKEN, Moment(AT + 86_400))
    assert report.reason == "The day ended"


def test_an_order_placed_in_the_very_second_of_the_close_waits_for_the_next() -> None:
    exchange = exchange_with(order())
    assert exchange.on_clock(TOKEN, Moment(AT, Phase.CLOSED)) == []
    assert len(exchange.on_clock(TOKEN, Moment(AT + 1, Phase.CLOSED))) == 1


def test_what_a_restart_must_not_forget_is_marked() -> None:
    exchange = exchange_with(limit_order("1400"), stop(Side.SELL, "1000", order_id="stop"))

    def marks(seconds: int, sequence: int, phase: Phase = Phase.CONTINUOUS, stage: Stage = Stage.CONTINUOUS) -> bool:
        exchange.changed.clear()
        show(exchange, later(seconds, sequence, volume=500, low_units=14_000_000), phase, stage)
        return exchange.changed == {TOKEN}

    assert marks(1, 2), "they have arrived, and met a first tick"
    assert not marks(2, 3)
    assert marks(3, 4, Phase.CLOSING_AUCTION, Stage.REFERENCE), "the auction began"
    assert not marks(4, 5, Phase.CLOSING_AUCTION, Stage.REFERENCE)
    exchange.changed.clear()
    show(exchange, later(5, 6, volume=600), Phase.CLOSING_AUCTION, Stage.ENTRY)
    assert exchange.changed == {TOKEN}, "what the auction's volume is counted from has changed"


def test_an_order_and_a_cancel_are_marked() -> None:
    exchange = exchange_with(limit_order("1400"))
    assert exchange.changed == {TOKEN}
    exchange.changed.clear()
    exchange.cancel(TOKEN, limit_order("1400").order_id, sent_at=AT, clock=AT)
    assert exchange.changed == {TOKEN}
