"""State of strategies goes through bytes at any price, and only into the strategy it came from."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest
from pydantic import ValidationError

from models.messages.signals import Intent
from models.messages.ticks import MAX_PRICE_UNITS
from tests.factories import AT, TOKEN, tick
from tests.strategy_runs import OPEN, PAIR
from trading.strategies.base import Strategy, Wish
from trading.strategies.low_frequency import LowFrequency
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.registry import BUILT_IN
from trading.strategies.rsi import Rsi


def build(kind: type[Strategy], **parameters: int | bool) -> Strategy:
    return kind(kind.parameters_type(**parameters), PAIR)


def wishes(strategy: Strategy, prices: list[int], token: int = TOKEN) -> list[Wish]:
    ticks = [
        tick(price=price, sequence=number, at=OPEN + 10 * number, instrument_token=token)
        for number, price in enumerate(prices, 1)
    ]
    return [wish for one in ticks for wish in strategy.on_tick(one, one.exchange_time)]


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
@pytest.mark.parametrize("price", [0, 1, 13_000 * 10**5, MAX_PRICE_UNITS])  # the second last is MRF's
def test_state_can_be_stored_at_any_price(kind: type[Strategy], price: int) -> None:
    strategy, copy = build(kind), build(kind)
    wishes(strategy, [price, 0, MAX_PRICE_UNITS] + [price] * 2000)
    copy.load_state(strategy.dump_state())
    assert copy.dump_state() == strategy.dump_state()
    assert wishes(copy, [price, price + 1]) == wishes(strategy, [price, price + 1])


@pytest.mark.parametrize(("kind", "other"), permutations(BUILT_IN, 2), ids=lambda kind: kind.name)
def test_another_strategys_state_is_refused(kind: type[Strategy], other: type[Strategy]) -> None:
    strategy, stranger = build(kind), build(other)
    wishes(stranger, [15_000_000] * 3)
    with pytest.raises(msgspec.ValidationError, match=f"{other.name}, not of {kind.name}"):
        strategy.load_state(stranger.dump_state())


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
@pytest.mark.parametrize("raw", [b"", b"\x00", b"garbage", msgspec.msgpack.encode({TOKEN: [1.5]})])
def test_bytes_that_are_no_state_are_refused(kind: type[Strategy], raw: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        build(kind).load_state(raw)


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_loading_replaces_what_was_there(kind: type[Strategy]) -> None:
    strategy, fresh = build(kind), build(kind)
    wishes(strategy, [15_000_000 + 1000 * number for number in range(50)])
    strategy.load_state(fresh.dump_state())
    assert strategy.dump_state() == fresh.dump_state()


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_a_flat_market_gives_no_wish_but_the_schedule(kind: type[Strategy]) -> None:
    found = wishes(build(kind), [15_000_000] * 500)
    assert (found == []) is (kind is not LowFrequency)


def test_momentum_may_go_short_when_it_is_allowed_to() -> None:
    rise = [15_000_000 + 20_000 * number for number in range(40)]
    path = rise + list(reversed(rise))
    held = [one.target_quantity for one in wishes(build(Momentum, quantity=7), path)]
    short = [one.target_quantity for one in wishes(build(Momentum, quantity=7, allow_short=True), path)]
    assert (held, short) == ([7, 0], [7, -7])


def test_momentum_needs_a_gap_beyond_the_threshold() -> None:
    # 80 ticks at 1,000 then one step up of 1 %: the averages part by at most that step.
    step = [10_000_000] * 80 + [10_100_000] * 5
    assert wishes(build(Momentum, threshold_bps=100), step) == []
    assert len(wishes(build(Momentum, threshold_bps=4), step)) == 1


@pytest.mark.parametrize(("tenths", "wished"), [(20, 1), (80, 0)])
def test_mean_reversion_enters_beyond_its_band_only(tenths: int, wished: int) -> None:
    # 19 prices that alternate by 5 paise and then a fall: 4.3 standard deviations of the window.
    path = [15_000_000 + (500 if number % 2 else -500) for number in range(19)] + [14_900_000]
    assert len(wishes(build(MeanReversion, window=20, entry_tenths=tenths), path)) == wished


def test_rsi_stays_out_between_its_levels() -> None:
    saw = [15_000_000 + (1_000 if number % 2 else 0) for number in range(200)]
    assert wishes(build(Rsi), saw) == []


def test_low_frequency_alternates_on_its_schedule_in_event_time() -> None:
    strategy = build(LowFrequency, every_seconds=10, hold_seconds=4, quantity=3)
    first = AT + 1 + TOKEN % 10
    times = [AT, first - 1, first, first + 3, first + 4, first + 13, first + 14]
    found = [(at, one) for at in times for one in strategy.on_tick(tick(at=at), at)]
    assert [at for at, _ in found] == [first, first + 4, first + 14]
    assert [one.intent for _, one in found] == [Intent.OPEN, Intent.CLOSE, Intent.OPEN]
    assert {one.quantity for _, one in found} == {3, None}


def test_low_frequency_goes_by_the_frames_clock_where_a_packet_has_no_time() -> None:
    strategy = build(LowFrequency, every_seconds=2, hold_seconds=1)
    found = [one for second in range(10) for one in strategy.on_tick(tick(at=0), AT + second)]
    assert len(found) > 2


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_parameters_are_bounded_and_named(kind: type[Strategy]) -> None:
    assert kind.summary
    for name, field in kind.parameters_type.model_fields.items():
        if field.annotation is int:
            with pytest.raises(ValidationError):
                kind.parameters_type(**{name: -1})
        with pytest.raises(ValidationError):
            kind.parameters_type(**{name: "many"})
    with pytest.raises(ValidationError):
        kind.parameters_type.model_validate({"nobody_knows": 1})


def test_mean_reversion_must_leave_nearer_to_the_average_than_it_enters() -> None:
    build(MeanReversion, entry_tenths=4, exit_tenths=3)
    with pytest.raises(ValidationError, match=r"exit_tenths \(4\) must be below entry_tenths \(4\)"):
        build(MeanReversion, entry_tenths=4, exit_tenths=4)


def test_momentum_without_a_threshold_needs_a_difference_all_the_same() -> None:
    flat = [15_000_000] * 60
    assert wishes(build(Momentum, threshold_bps=0), flat) == []
    assert [one.target_quantity for one in wishes(build(Momentum, threshold_bps=0), [*flat, 15_000_100])] == [10]


@pytest.mark.parametrize(
    ("kind", "parameters", "first"),
    [
        (Momentum, {"fast": 2, "slow": 9}, 9),
        (Rsi, {"period": 6}, 7),  # six changes need seven prices
        (MeanReversion, {"window": 8, "entry_tenths": 10}, 8),
    ],
)
def test_the_first_wish_may_come_when_the_window_is_full(
    kind: type[Strategy], parameters: dict[str, int], first: int
) -> None:
    """Prices that fall ever faster would make each of them act at once."""
    fall = [15_000_000 - 1_000 * number**3 for number in range(12)]
    strategy = build(kind, **parameters)
    assert wishes(strategy, fall[: first - 1]) == []
    assert len(wishes(strategy, [fall[first - 1]])) == 1
