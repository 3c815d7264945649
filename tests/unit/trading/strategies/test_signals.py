"""A signal's origin is its own instrument as the strategy saw it; its id tells it from every other."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from models.messages import ids
from models.messages.orders import OrderType, Side, Validity
from models.messages.signals import Intent, Signal, Terms
from models.messages.ticks import Tick
from tests.factories import AT, TOKEN, tick
from tests.strategy_runs import OTHER, PAIR
from trading.strategies.base import Seen, Wish
from trading.strategies.momentum import Momentum, MomentumParameters
from trading.strategies.signals import Cause, Sourced, signal_of, sourced


class Both(Momentum):
    """Has seen the other instrument, and nothing else."""

    name = "both"

    def last_seen(self, instrument_token: int) -> Seen | None:
        return Seen(77, 30_000_000) if instrument_token == OTHER else None


def wish(token: int = TOKEN, **values: object) -> Wish:
    return Wish(instrument_token=token, **{"intent": Intent.TARGET, "target_quantity": 5, **values})  # type: ignore[arg-type]


def cause(by: Tick | None = None) -> Cause:
    return Cause(run_id="run", frame_id="frame", clock=AT + 9, received_ns=3, tick=by)


def signals(*wishes: Wish, by: Tick | None = None) -> list[Signal | LookupError]:
    strategy = Both(MomentumParameters(), PAIR)
    found = sourced(strategy, wishes, cause(by))
    return [
        signal_of(one, cause(by), instance="mine", broker="paper", account="paper:main")
        if isinstance(one, Sourced)
        else one
        for one in found
    ]


def signal(*wishes: Wish, by: Tick | None = None) -> Signal:
    (found,) = signals(*wishes, by=by)
    assert isinstance(found, Signal)
    return found


def test_a_wish_for_the_ticks_own_instrument_comes_from_the_tick() -> None:
    found = signal(wish(), by=tick(price=15_000_000, sequence=12, at=AT + 4))
    assert found.signal_id == ids.signal_id("run", "mine", "paper", TOKEN, 12, 0)
    assert (found.origin.instrument_token, found.origin.tick_sequence) == (TOKEN, 12)
    assert (found.origin.price, found.origin.event_time, found.origin.clock) == (Decimal(1500), AT + 4, AT + 9)
    assert (found.instrument, found.strategy, found.account) == ("NSE:INFY", "mine", "paper:main")


def test_a_wish_for_another_instrument_has_that_instruments_price_and_the_ticks_time() -> None:
    """Collars compare with the price, the paper exchange continues after the sequence: both must be its own."""
    found = signal(wish(OTHER), by=tick(sequence=12, at=AT + 4))
    assert (found.origin.instrument_token, found.origin.tick_sequence) == (OTHER, 77)
    assert (found.origin.price, found.origin.event_time) == (Decimal(3000), AT + 4)


def test_a_wish_of_the_clock_comes_from_the_last_tick_at_the_clocks_second() -> None:
    found = signal(wish(OTHER))
    assert (found.origin.tick_sequence, found.origin.price, found.origin.event_time) == (77, Decimal(3000), AT + 9)


def test_a_wish_that_cannot_come_from_anywhere_is_an_error_and_the_others_go_on() -> None:
    nowhere, unseen, good = signals(wish(1), wish(TOKEN), wish(OTHER))
    assert str(nowhere) == "1 is not one of its instruments"
    assert str(unseen) == "It has not seen NSE:INFY yet"
    assert isinstance(good, Signal)


def test_a_groups_legs_are_counted_and_none_goes_without_the_others() -> None:
    whole = signals(wish(TOKEN, group="a"), wish(OTHER, group="a", leg=1), wish(OTHER), by=tick())
    assert [one.group for one in whole if isinstance(one, Signal)] == ["a/2", "a/2", ""]
    lame = signals(wish(OTHER, group="a"), wish(1, group="a"), wish(OTHER, group="b", leg=1), by=tick())
    assert [one.group if isinstance(one, Signal) else str(one) for one in lame] == [
        "1 is not one of its instruments",
        "b/1",
    ]


def test_no_two_causes_give_the_same_id() -> None:
    """Both instruments count their ticks from 1: a pair entered on tick 12 of one and left on tick 12 of the other."""
    other = tick(sequence=12, instrument_token=OTHER)
    found = [
        *signals(wish(OTHER), wish(OTHER), by=tick(sequence=12)),
        *signals(wish(OTHER), by=other),
        *signals(wish(OTHER)),
        *signals(wish(OTHER, leg=1), by=other),
    ]
    assert len({one.signal_id for one in found if isinstance(one, Signal)}) == len(found) == 5


def test_every_term_of_the_wish_is_the_signals() -> None:
    full = wish(
        intent=Intent.OPEN,
        side=Side.BUY,
        quantity=5,
        target_quantity=None,
        order_type=OrderType.LIMIT,
        limit_price=Decimal("1499.50"),
        stop_loss=Decimal(1400),
        target=Decimal(1600),
        validity=Validity.TTL,
        validity_minutes=3,
        leg=1,
        group="g",
        reason="because",
    )
    found = signal(full, by=tick())
    assert found.group == "g/1"
    same = {name: getattr(found, name) for name in Terms.__struct_fields__ if name != "group"}
    assert msgspec.structs.asdict(full).items() >= same.items()
    assert {getattr(full, name) == getattr(wish(), name) for name in ("group", "leg", "stop_loss")} == {False}
