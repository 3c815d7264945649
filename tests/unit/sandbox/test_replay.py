"""A recorded market gives every bar and price back, in time order, once."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from models.messages.ticks import Tick, to_units
from recordings.bars import BarFile, read_bars
from recordings.files import files_of
from recordings.prices import read_prices
from sandbox.market import Batch
from sandbox.replay import ReplayMarket
from tests.shared_data import shared_data
from trading.market.ticks_from_bars import Bar

HEADER = "Code,Date,Open,High,Low,Close,Volume"


def bars_of(ticks: list[Tick]) -> list[Bar]:
    """Bars rebuilt from last prices and cumulative volume, as a client of the feed would."""
    minutes: dict[int, list[Tick]] = defaultdict(list)
    for tick in ticks:
        minutes[tick.exchange_time // 60 * 60].append(tick)
    found, before = [], 0
    for start, part in minutes.items():
        prices = [tick.last_price_units for tick in part]
        found.append(Bar(start, prices[0], max(prices), min(prices), prices[-1], part[-1].volume - before))
        before = part[-1].volume
    return found


def by_symbol(market: ReplayMarket) -> dict[str, list[Tick]]:
    names = {one.instrument_token: one.tradingsymbol for one in market.instruments}
    found: dict[str, list[Tick]] = defaultdict(list)
    for batch in market.batches():
        for tick in batch.ticks:
            found[names[tick.instrument_token]].append(tick)
    return found


def assert_bars_come_back(path: Path, day: date | None, most: int | None) -> None:
    market = ReplayMarket(path, day=day, most_symbols=most)
    found = by_symbol(market)
    recordings: list[BarFile] = [read_bars(file) for file in files_of(path)[:most]]
    bars = {one.symbol: one.days[market.day] for one in recordings}
    assert bars == {name: bars_of(ticks) for name, ticks in found.items()}
    for symbol, own in bars.items():
        last = found[symbol][-1]
        session = (last.open_units, last.high_units, last.low_units, last.volume)
        assert session == (
            own[0].open_units,
            max(bar.high_units for bar in own),
            min(bar.low_units for bar in own),
            sum(bar.volume for bar in own),
        )


def write(folder: Path, symbol: str, rows: list[str]) -> None:
    (folder / f"{symbol}.csv").write_text("\n".join([HEADER, *(f"{symbol},{row}" for row in rows)]))


MINUTES = [
    "2016-08-16 09:15:00, 10.0, 11.0, 9.0, 10.5, 103",
    "2016-08-16 09:17:00, 10.5, 10.5, 10.5, 10.5, 0",
]


def test_recorded_session_comes_back_bar_by_bar() -> None:
    assert_bars_come_back(shared_data("minute_2016_kite"), date(2016, 8, 17), 5)


paise = st.integers(1, 10**6)


@given(
    st.lists(
        st.tuples(paise, paise, paise, paise, st.integers(0, 10**6)), min_size=1, max_size=10
    )
)  # fmt: skip
def test_any_bars_come_back(tmp_path_factory: object, rows: list[tuple[int, int, int, int, int]]) -> None:
    folder = tmp_path_factory.mktemp("bars")  # type: ignore[attr-defined]
    lines = []
    for number, (*prices, volume) in enumerate(rows):
        low, opened, closed, high = sorted(prices)
        cells = ", ".join(f"{price / 100:.2f}" for price in (opened, high, low, closed))
        lines.append(f"2016-08-16 09:{15 + number}:00, {cells}, {volume}")
    write(folder, "ACC", lines[::-1])
    assert_bars_come_back(folder, None, None)


def test_batches_are_in_time_order_with_instruments_in_the_order_of_the_list(tmp_path: Path) -> None:
    write(tmp_path, "BBB", MINUTES)
    write(tmp_path, "AAA", MINUTES[:1])
    market = ReplayMarket(tmp_path, day=None, most_symbols=None)
    batches: list[Batch] = list(market.batches())
    offsets = [int(batch.at) - market.session_start for batch in batches]
    assert offsets == [0, 15, 30, 45, 120, 135, 150, 165]
    first, second = (one.instrument_token for one in market.instruments)
    assert [one.tradingsymbol for one in market.instruments] == ["AAA", "BBB"]
    assert [[tick.instrument_token for tick in batch.ticks] for batch in batches] == [[first, second]] * 4 + [
        [second]
    ] * 4
    assert all(tick.exchange_time == batch.at for batch in batches for tick in batch.ticks)


def test_previous_close_is_that_of_the_day_before_or_the_first_price(tmp_path: Path) -> None:
    write(tmp_path, "AAA", [*MINUTES, "2016-08-12 15:29:00, 8.0, 8.0, 8.0, 8.0, 1"])
    write(tmp_path, "BBB", MINUTES)
    found = by_symbol(ReplayMarket(tmp_path, day=date(2016, 8, 16), most_symbols=None))
    assert {name: {tick.close_units for tick in ticks} for name, ticks in found.items()} == {
        "AAA": {80_000},
        "BBB": {100_000},
    }


def test_second_prices_are_an_index_that_cannot_be_traded(tmp_path: Path) -> None:
    (tmp_path / "2022-11-07.csv").write_text("2022-11-07 09:15:01,18010.5\n2022-11-07 09:15:00,18000.05\n")
    market = ReplayMarket(tmp_path, day=None, most_symbols=None)
    (instrument,) = market.instruments
    assert (instrument.key, instrument.is_tradable) == ("NSE:NIFTY 50", False)
    ticks = [tick for batch in market.batches() for tick in batch.ticks]
    assert [(tick.last_price_units, tick.high_units, tick.low_units) for tick in ticks] == [
        (180_000_500, 180_000_500, 180_000_500),
        (180_105_000, 180_105_000, 180_000_500),
    ]
    assert not any(tick.tradable or tick.buy or tick.sell or tick.volume for tick in ticks)


def test_recorded_second_prices_come_back_each_once() -> None:
    path = shared_data("ticks_nifty50_1s_2022", "2022-11-10.csv.gz")
    (prices,) = read_prices(path).values()
    ticks = by_symbol(ReplayMarket(path, day=None, most_symbols=None))["NIFTY 50"]
    assert [(tick.exchange_time, tick.last_price_units) for tick in ticks] == prices
    assert [tick.sequence for tick in ticks] == list(range(1, len(ticks) + 1))
    assert ticks[0].open_units == prices[0][1]


def test_prices_keep_to_the_recorded_tick_size(tmp_path: Path) -> None:
    write(tmp_path, "AAA", MINUTES)
    market = ReplayMarket(tmp_path, day=None, most_symbols=None)
    size = to_units(market.instruments[0].tick_size)
    levels = [level for batch in market.batches() for tick in batch.ticks for level in (*tick.buy, *tick.sell)]
    assert levels
    assert not any(level.price_units % size for level in levels)


def test_recorded_bars_of_an_index_cannot_be_traded(tmp_path: Path) -> None:
    write(tmp_path, "VIX", [f"2016-08-16 09:1{minute}:00, 13.5, 13.6, 13.4, 13.5, 0" for minute in (5, 6)])
    write(tmp_path, "AAA", MINUTES)
    market = ReplayMarket(tmp_path, day=None, most_symbols=None)
    assert {one.tradingsymbol: one.is_tradable for one in market.instruments} == {"AAA": True, "VIX": False}
    ticks = by_symbol(market)["VIX"]
    assert len(ticks) == 8
    assert not any(tick.tradable or tick.buy or tick.sell for tick in ticks)
