"""Pairs: two legs, together, against the ratio's excursions."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.messages.ticks import Tick
from tests.factories import TOKEN, instrument
from tests.strategy_runs import OPEN, OTHER, PAIR, build, closes, run
from trading.market.instruments import Instrument
from trading.strategies.pairs import Pairs

FLAT = [10_000, 10_010, 9_990, 10_000, 10_010, 9_990]


def both(first: list[int | None], second: list[int | None]) -> list[Tick]:
    return sorted(closes(first) + closes(second, OTHER), key=lambda one: one.exchange_time)


def quick(**parameters: int) -> Pairs:
    levels = {"window": 6, "entry_tenths": 20, "exit_tenths": 5, "stop_tenths": 200}
    found = build(Pairs, **{**levels, **parameters})
    assert isinstance(found, Pairs)
    return found


def wished(strategy: Pairs, ticks: list[Tick]) -> list[tuple[int, int, int | None]]:
    return [(one.clock - OPEN, one.wish.instrument_token, one.wish.target_quantity) for one in run(strategy, ticks)]


def test_the_dear_leg_is_sold_for_the_same_value_of_the_cheap_one() -> None:
    """At 100 against 200 rupees ten units of the first are worth five of the second."""
    ticks = both([*FLAT, 11_000, 11_000], [20_000] * 8)
    assert wished(quick(), ticks) == [(450, TOKEN, -10), (450, OTHER, 6)]
    assert wished(quick(), both([*FLAT, 9_000, 9_000], [20_000] * 8)) == [(450, TOKEN, 10), (450, OTHER, -5)]


def test_both_are_left_when_the_ratio_is_back() -> None:
    ticks = both([*FLAT, 11_000, 10_000, 10_000], [20_000] * 9)
    assert wished(quick(), ticks)[2:] == [(510, TOKEN, 0), (510, OTHER, 0)]


def test_after_a_stop_it_waits_until_the_ratio_has_come_back() -> None:
    """Stopped in minute 8; still far away in 9 and 10, back in 12, far away again in 13."""
    path = [10_030, 10_200, 10_400, 10_500, 10_600, 10_500, 10_400, 10_800, 11_500]
    ticks = both([*FLAT, *path], [20_000] * 15)
    found = wished(quick(entry_tenths=10, exit_tenths=3, stop_tenths=18), ticks)
    of_first = [((second - OPEN % 60) // 60, quantity) for second, token, quantity in found if token == TOKEN]
    assert of_first == [(6, 10), (7, 0), (8, -10), (9, 0), (14, -10)]


def test_a_leg_that_has_not_traded_in_the_minute_keeps_the_pair_out() -> None:
    """The excursion of minute 6 is only seen by one leg."""
    second: list[int | None] = [20_000] * 6
    assert wished(quick(), both([*FLAT, 11_000, 11_000], [*second, None, None])) == []


def test_both_legs_are_left_before_the_day_ends() -> None:
    strategy = quick()
    run(strategy, both([*FLAT, 11_000, 11_000], [20_000] * 8))
    wishes = strategy.on_clock(strategy.flat_by(TOKEN, OPEN))
    assert [(one.instrument_token, one.target_quantity, one.leg) for one in wishes] == [(TOKEN, 0, 0), (OTHER, 0, 1)]
    assert len({one.group for one in wishes}) == 1
    assert wishes[0].group


def test_it_enters_no_more_when_it_would_have_to_leave_at_once() -> None:
    last = (quick().flat_by(TOKEN, OPEN) - OPEN) // 60 - 2  # the minute that ends a minute before
    quiet: list[int | None] = [None] * (last - len(FLAT))
    early, late = [*quiet, *FLAT, 11_000, 11_000], [*quiet, *FLAT, 10_000, 11_000, 11_000]
    assert len(run(quick(), both(early, [20_000] * len(early)))) == 2
    assert run(quick(), both(late, [20_000] * len(late))) == []


def test_the_second_leg_is_rounded_to_its_lot() -> None:
    lots = {**PAIR, OTHER: instrument(instrument_token=OTHER, lot_size=50, group="pair")}
    strategy = Pairs(quick(quantity=100).parameters, lots)
    ticks = both([*FLAT, 11_000, 11_000], [13_000] * 8)
    assert [quantity for _, _, quantity in wished(strategy, ticks)] == [-100, 100]  # 84.6 units are nearest to two lots


def test_the_second_leg_is_at_least_one_lot() -> None:
    strategy = quick(quantity=1)
    assert [quantity for _, _, quantity in wished(strategy, both([*FLAT, 11_000, 11_000], [90_000] * 8))] == [-1, 1]


@pytest.mark.parametrize(
    ("instruments", "sentence"),
    [
        ([instrument()], "pairs needs exactly two instruments, not 1"),
        (
            [instrument(), instrument(tradingsymbol="TCS")],
            "pairs needs its instruments in one co-location group, not in NSE:INFY, NSE:TCS",
        ),
    ],
)
def test_instruments_that_cannot_be_a_pair_are_refused(instruments: list[Instrument], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Pairs.check_instruments(instruments)


def test_two_of_one_group_are_a_pair() -> None:
    Pairs.check_instruments(list(PAIR.values()))


def test_other_legs_begin_a_new_pair() -> None:
    strategy = quick()
    run(strategy, both(FLAT[:5], [20_000] * 5))
    strategy.instruments = {TOKEN: PAIR[TOKEN], 7 * 256 + 1: PAIR[OTHER]}
    run(strategy, closes([None] * 5 + [10_000, 10_000]))
    assert not strategy.state[TOKEN].bands.window


def test_levels_must_be_ordered() -> None:
    with pytest.raises(ValidationError, match=r"exit_tenths \(20\), entry_tenths \(20\) and stop_tenths \(200\)"):
        quick(exit_tenths=20)
