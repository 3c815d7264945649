"""What was recorded comes back exactly, whatever it was and however its reading was interrupted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from models.messages.ticks import Level, Mode, Tick
from models.messages.validation import LATEST_SECOND, MAX_PRICE_UNITS, MAX_QUANTITY
from recordings.columns import rows_of, table_of, ticks_of
from recordings.store import TickStore
from tests.recorded import KEYS, PARTITIONS, decode, feed, frame, in_order, recorder, session, stored
from tests.strategy_runs import OPEN
from trading.market.sessions import trading_day

counts, prices = st.integers(0, MAX_QUANTITY), st.integers(0, MAX_PRICE_UNITS)
seconds = st.integers(0, LATEST_SECOND)
levels = st.lists(st.builds(Level, prices | st.just(0), counts, counts), max_size=5).map(tuple)
PRICES = ("last_price_units", "average_price_units", "open_units", "high_units", "low_units", "close_units")
TIMES = ("last_trade_time", "exchange_time")
PLAIN = {
    name: prices if name in PRICES else seconds if name in TIMES else counts
    for name in Tick.__struct_fields__
    if name not in ("mode", "tradable", "buy", "sell")
}
ticks = st.builds(Tick, **PLAIN, mode=st.sampled_from(Mode), tradable=st.booleans(), buy=levels, sell=levels)
few = settings(max_examples=settings.default.max_examples // 5)  # of what writes files


@given(found=st.lists(st.tuples(seconds, st.lists(ticks, max_size=4)), max_size=4))
def test_any_ticks_come_back_exactly(found: list[tuple[int, list[Tick]]]) -> None:
    rows = [row for clock, some in found for row in rows_of(frame(clock, some, received_ns=clock), 2, KEYS)]
    (batch,) = table_of(rows).to_batches() or [None]
    back = [] if batch is None else list(ticks_of(batch))
    assert back == [
        (clock, KEYS.get(one.instrument_token, str(one.instrument_token)), one) for clock, some in found for one in some
    ]


@few
@given(some=st.lists(ticks, min_size=1, max_size=5), finish=st.booleans())
def test_any_ticks_come_back_from_a_file(some: list[Tick], finish: bool) -> None:
    with TemporaryDirectory() as folder:
        store, day = TickStore(Path(folder)), trading_day(OPEN)
        for number, one in enumerate(some):
            store.write_minute(day, f"09{15 + number}", rows_of(frame(OPEN, [one]), 0, KEYS), {}, {})
        if finish:
            store.finish(day)
        assert [one for _, _, one in store.read(day)] == some


@few
@given(
    seed=st.integers(0, 10**6),
    gaps=st.lists(st.integers(1, 50), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 60), max_size=3),
    finishes=st.booleans(),
)
def test_every_tick_is_recorded_once_however_often_the_recorder_is_stopped(
    seed: int, gaps: list[int], cuts: list[int], finishes: bool
) -> None:
    """Stopped cleanly (`finishes`) or killed, after so many frames; partitions in any step."""
    log = session([OPEN + sum(gaps[:number]) for number in range(len(gaps))], seed)
    rng = Random(seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for cut in cuts:
            one, left = recorder(TickStore(folder)), iter(range(cut))
            feed(one, log, rng, until=lambda left=left: next(left, None) is None)
            if finishes:
                one.finish()
        last = recorder(TickStore(folder))
        feed(last, log, rng)
        last.finish()
        found, expected = stored(folder), in_order(log)
        assert sorted(found, key=lambda row: row[1].sequence) == expected
        if not finishes:
            assert found == expected
        assert last.left_out == 0
        left = TickStore(folder).next_offsets()
        rest = [decode(raw) for partition, frames in enumerate(log) for raw in frames[left.get(partition, 0) :]]
        assert not any(one.ticks for one in rest)


@few
@given(seed=st.integers(0, 10**6))
def test_partitions_that_wait_when_told_keep_memory_small(seed: int) -> None:
    """However unfairly partitions are read: at most the frames of two minutes are kept."""
    rng = Random(seed)
    clocks = [OPEN + second for second in range(0, 300, 5)]
    log = session(clocks, seed)
    position, most = [0] * PARTITIONS, 0
    with TemporaryDirectory() as folder:
        one = recorder(TickStore(Path(folder)))
        while reading := {at for at in range(PARTITIONS) if position[at] < len(log[at])}:
            ready = sorted(reading - one.ahead(reading))
            partition = rng.choice(ready[:1] * 8 + ready)
            one.add(partition, position[partition], log[partition][position[partition]])
            position[partition] += 1
            kept = [each.clock for frames in one._frames.values() for each in frames]
            most = max(most, max(kept, default=0) - min(kept, default=0))
        one.finish()
        assert most <= 120
        clocks_back = [clock for clock, _ in stored(Path(folder))]
    assert all(before <= after for before, after in pairwise(clocks_back))
