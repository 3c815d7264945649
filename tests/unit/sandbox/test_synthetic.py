"""The synthetic market: a pure function of its seed, with packets an exchange could have sent."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import date
from decimal import Decimal
from itertools import islice
from random import Random

import pytest

from models.messages.ticks import Mode, Tick, to_units
from sandbox.frames import packet
from sandbox.listing import INDEX_NAMES, KNOWN_NAMES, symbols, tick_size_at
from sandbox.synthetic import BATCHES_PER_SECOND, MOST_TICKS_PER_SYMBOL, SESSION_SECONDS, SyntheticMarket
from trading.market.instruments import Instrument
from trading.market.sessions import session_start

START = session_start(date(2026, 8, 20))
MOST_WIRE = 2**32 - 1


def market(seed: int = 5, count: int = 60, rate: int = 200) -> SyntheticMarket:
    return SyntheticMarket(seed=seed, count=count, session_start=START, rate=rate)


def ticks_of(one: SyntheticMarket, seconds: int) -> list[Tick]:
    batches = islice(one.batches(), seconds * BATCHES_PER_SECOND)
    return [tick for batch in batches for tick in batch.ticks]


def by_token(ticks: list[Tick]) -> dict[int, list[Tick]]:
    found: dict[int, list[Tick]] = defaultdict(list)
    for tick in ticks:
        found[tick.instrument_token].append(tick)
    return found


def test_seed_symbols_and_date_fix_the_listing_and_every_tick() -> None:
    one, same, other = market(), market(), market(seed=6)
    assert one.instruments == same.instruments
    assert ticks_of(one, 5) == ticks_of(same, 5)
    assert ticks_of(market(), 5) != ticks_of(other, 5)


def test_each_second_has_the_rate_of_equity_ticks_and_one_of_each_index() -> None:
    ticks = ticks_of(market(rate=37), 10)
    by_second: dict[int, list[Tick]] = defaultdict(list)
    for tick in ticks:
        by_second[tick.exchange_time].append(tick)
    assert list(by_second) == list(range(START, START + 10))
    assert {sum(tick.tradable for tick in part) for part in by_second.values()} == {37}
    assert {sum(not tick.tradable for tick in part) for part in by_second.values()} == {len(INDEX_NAMES)}


def test_instruments_take_turns() -> None:
    found = by_token([tick for tick in ticks_of(market(count=60, rate=200), 9) if tick.tradable])
    assert len(found) == 60
    assert {len(ticks) for ticks in found.values()} == {30}


def test_session_ends_at_half_past_three() -> None:
    (last,) = deque(market(count=1, rate=1).batches(), maxlen=1)
    assert START + SESSION_SECONDS - 1 <= last.at < START + SESSION_SECONDS


def test_packets_of_an_instrument_add_up() -> None:
    one = market()
    for ticks in by_token(ticks_of(one, 30)).values():
        assert [tick.sequence for tick in ticks] == list(range(1, len(ticks) + 1))
        volume = 0
        for tick in ticks:
            volume += tick.last_quantity
            assert tick.volume == volume
            assert tick.low_units <= tick.last_price_units <= tick.high_units
            assert tick.low_units <= tick.open_units <= tick.high_units
        seen = [tick.last_price_units for tick in ticks]
        assert (ticks[-1].high_units, ticks[-1].low_units) == (
            max(ticks[0].open_units, *seen),
            min(ticks[0].open_units, *seen),
        )


def test_books_have_five_levels_on_the_tick_grid_and_trades_are_at_the_touch() -> None:
    one = market()
    sizes = {each.instrument_token: to_units(each.tick_size) for each in one.instruments}
    for tick in (tick for tick in ticks_of(one, 30) if tick.tradable):
        bids, asks = [level.price_units for level in tick.buy], [level.price_units for level in tick.sell]
        size = sizes[tick.instrument_token]
        assert bids == [bids[0] - size * number for number in range(5)]
        assert asks == [asks[0] + size * number for number in range(5)]
        assert 0 < asks[0] - bids[0] <= 3 * size
        assert tick.last_price_units in (bids[0], asks[0])
        assert not any(price % size for price in (*bids, *asks))
        assert all(level.quantity > 0 and level.orders > 0 for level in (*tick.buy, *tick.sell))


def test_prices_move_both_ways() -> None:
    ends = [
        (ticks[0].last_price_units, ticks[-1].last_price_units) for ticks in by_token(ticks_of(market(), 60)).values()
    ]
    assert any(last > first for first, last in ends)
    assert any(last < first for first, last in ends)


def test_busiest_instrument_fits_the_packet_for_a_whole_session() -> None:
    """The mean quantity of a trade is about 100: the bound has room of half as much again."""
    one = market(count=1, rate=MOST_TICKS_PER_SYMBOL)
    (_, ticks) = max(by_token(ticks_of(one, 3)).items(), key=lambda item: len(item[1]))
    assert ticks[-1].volume / 3 * SESSION_SECONDS < MOST_WIRE
    assert packet(ticks[-1], Mode.FULL)


@pytest.mark.parametrize("count", [1, 50, 51, 9_000])
def test_symbols_are_different_and_the_known_come_first(count: int) -> None:
    found = list(symbols(count, Random(1)))
    assert len(set(found)) == len(found) == count
    assert found[:50] == KNOWN_NAMES[:count]


def test_listing_of_nine_thousand_has_tokens_of_kites_form() -> None:
    instruments = market(count=9_000, rate=1).instruments
    assert len({one.instrument_token for one in instruments}) == len(instruments) == 9_002
    assert all(_is_consistent(one) for one in instruments)


def _is_consistent(one: Instrument) -> bool:
    segment = 9 if one.segment == "INDICES" else 1
    return one.instrument_token == one.exchange_token * 256 + segment and one.is_tradable is (segment == 1)


@pytest.mark.parametrize(
    ("price", "size"),
    [
        ("249.99", "0.01"), ("250", "0.05"), ("999.95", "0.05"), ("1000", "0.10"), ("4999.90", "0.10"),
        ("5000", "0.50"), ("9999.50", "0.50"), ("10000", "1"), ("19999", "1"), ("20000", "5"),
    ],
)  # fmt: skip
def test_tick_size_by_price_band(price: str, size: str) -> None:
    assert tick_size_at(Decimal(price)) == Decimal(size)
