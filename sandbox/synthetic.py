"""A market made from a seed: every instrument walks in ticks of its own size, with trends, pauses and reversals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import cycle, islice
from random import Random

from models.messages.ticks import Level, Mode, Tick, to_units
from recordings.listing import equity, index
from sandbox.listing import INDEX_NAMES, symbols, tick_size_at
from sandbox.market import Batch
from trading.market.instruments import Instrument

BATCHES_PER_SECOND = 20
SESSION_SECONDS = 22_500  # 09:15 to 15:30
DEPTH = 5
MOST_TICKS_PER_SYMBOL = 1_000  # a second: cumulative volume stays within the packet's 32 bits for a whole session
TREND_TICKS = (20, 90)  # how many ticks of an instrument a trend lasts


class _Walk:
    """One equity: its level in tick sizes, and what its packets accumulate over the session."""

    __slots__ = (
        "close", "high", "instrument", "left", "level", "low", "open", "sequence", "spread", "token",
        "trend", "turnover", "unit", "volatility", "volume",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, price: Decimal, rng: Random) -> None:
        self.instrument = instrument
        self.token = instrument.instrument_token
        self.unit = to_units(instrument.tick_size)
        self.level = int(price / instrument.tick_size)
        self.close = self.level * self.unit
        self.level += rng.randint(-5, 5)
        self.open = self.high = self.low = self.level * self.unit
        self.volatility = max(1.0, self.level * 0.00018)
        self.spread = rng.choice((1, 1, 1, 2, 2, 3))
        self.trend = 0.0
        self.left = 0
        self.sequence = self.volume = self.turnover = 0

    def tick(self, at: int, rng: Random) -> Tick:
        """The next packet: a step, a trade at the bid or the ask, a book around it."""
        if not self.left:
            self.left = rng.randint(*TREND_TICKS)
            self.trend = rng.choice((0.0, 0.0, 0.25, -0.25, 0.5, -0.5)) * self.volatility
        self.left -= 1
        pull = (self.close // self.unit - self.level) * 0.002
        self.level = max(DEPTH + 3, self.level + round((rng.random() - 0.5) * 2 * self.volatility + self.trend + pull))
        quantity = int(rng.expovariate(0.01)) + 1
        bid, ask = self.level - self.spread + self.spread // 2, self.level + self.spread // 2
        return self._packet(at, bid, ask, ask if rng.random() < 0.5 else bid, quantity)

    def _packet(self, at: int, bid: int, ask: int, traded: int, quantity: int) -> Tick:
        unit, price = self.unit, traded * self.unit
        self.sequence += 1
        self.volume += quantity
        self.turnover += quantity * price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        salt = self.sequence * 7919 + self.token
        buy = tuple(
            Level((bid - n) * unit, (salt * (n + 3)) % 900 + 50 * (n + 1), salt % (7 + n) + 1) for n in range(DEPTH)
        )
        sell = tuple(
            Level((ask + n) * unit, (salt * (n + 5)) % 900 + 50 * (n + 1), salt % (6 + n) + 1) for n in range(DEPTH)
        )
        return Tick(
            self.token, self.sequence, Mode.FULL, True, price, quantity,
            self.turnover // self.volume // 100 * 100, self.volume,
            sum(level.quantity for level in buy) * 40, sum(level.quantity for level in sell) * 40,
            self.open, self.high, self.low, self.close, at, 0, 0, 0, at, buy, sell,
        )  # fmt: skip


class _Index:
    """An index over the first equities: the sum of their prices, scaled."""

    def __init__(self, instrument: Instrument, walks: Sequence[_Walk]) -> None:
        self.token = instrument.instrument_token
        self._walks = walks
        self._sequence = 0
        self.open = self.high = self.low = self.close = self._value()

    def _value(self) -> int:
        return sum(walk.level * walk.unit for walk in self._walks) * 10 // len(self._walks) // 500 * 500

    def tick(self, at: int) -> Tick:
        """The next packet."""
        value = self._value()
        self._sequence += 1
        self.high, self.low = max(self.high, value), min(self.low, value)
        return Tick(
            self.token, self._sequence, Mode.FULL, False, value,
            open_units=self.open, high_units=self.high, low_units=self.low, close_units=self.close, exchange_time=at,
        )  # fmt: skip


class SyntheticMarket:
    """`count` equities and two indices, `rate` equity ticks a market second over all of them."""

    waits_for_clients = False

    def __init__(self, *, seed: int, count: int, session_start: int, rate: int) -> None:
        self.session_start = session_start
        self._rng = Random(seed)
        self._rate = rate
        self._walks = [
            self._walk(symbol, number) for number, symbol in enumerate(symbols(count, self._rng), len(INDEX_NAMES))
        ]
        self._indices = [
            _Index(index(name, number), self._walks[: 50 - 38 * number]) for number, name in enumerate(INDEX_NAMES)
        ]
        self.instruments = [index(name, number) for number, name in enumerate(INDEX_NAMES)]
        self.instruments += [walk.instrument for walk in self._walks]

    def _walk(self, symbol: str, number: int) -> _Walk:
        rng = self._rng
        price = Decimal(round(2 ** rng.uniform(6.5, 12.5), 2)).quantize(Decimal("0.01"))
        return _Walk(equity(symbol, number, tick_size_at(price)), price, rng)

    def batches(self) -> Iterator[Batch]:
        """Batches of the whole session; instruments take turns in a fixed, shuffled order."""
        order = list(self._walks)
        self._rng.shuffle(order)
        turns = cycle(order)
        sent = 0
        for number in range(SESSION_SECONDS * BATCHES_PER_SECOND):
            second, part = divmod(number, BATCHES_PER_SECOND)
            at = self.session_start + second
            due = (number + 1) * self._rate // BATCHES_PER_SECOND - sent
            sent += due
            ticks = [walk.tick(at, self._rng) for walk in islice(turns, due)]
            if part == 0:
                ticks += [one.tick(at) for one in self._indices]
            if ticks:
                yield Batch(self.session_start + number / BATCHES_PER_SECOND, ticks)
