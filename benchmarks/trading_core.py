"""Microseconds a call of the trading core takes, without Kafka.

    python -m benchmarks.trading_core            about ten seconds, one core

Times are of the processor, so other programs disturb them little. A batch is `BATCH` calls; the time of a call is that
of its batch divided by `BATCH`, so the 99th percentile of batches hides slow single calls. Decisions, whose objective
is a percentile, are also timed one by one, the timer's own half microsecond included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from statistics import median, quantiles

from models.messages import ids
from models.messages.control import TradingState
from models.messages.orders import (
    OrderFilled,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PlannedOrder,
    Product,
    Side,
    Validity,
)
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent, Origin, Signal
from models.messages.ticks import Level, Mode, Tick
from trading.accounting.account import apply_fill, new_account
from trading.market.instruments import Instrument
from trading.market.sessions import Phase
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment
from trading.matching.rules import MatchingRules
from trading.orders.state import fold, submitted
from trading.risk.chain import decide
from trading.risk.exposure import Exposure, reserve
from trading.risk.exposure import apply_fill as free_exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.strategies.registry import BUILT_IN

BATCH = 200
START = 1_787_197_500  # 09:15 IST of a Thursday
INSTRUMENTS = 50
MIDDLE = 15_000_000
LIMITS = Limits(
    max_order_quantity=10**6,
    max_position_quantity=10**9,
    max_order_notional=Decimal(10**12),
    max_gross_exposure=Decimal(10**14),
    max_open_orders=10**6,
    max_daily_trades=10**9,
    max_order_rate=10**6,
    order_rate_seconds=1,
    max_daily_loss=Decimal(10**12),
    max_drawdown_percent=Decimal(50),
    price_collar_percent=Decimal(2),
    price_band_percent=Decimal(20),
    stale_feed_seconds=10,
    max_signal_age_seconds=30,
    duplicate_window_seconds=1,
    equity_margin_percent=Decimal(20),
    futures_margin_percent=Decimal(20),
    short_option_margin_percent=Decimal(15),
)
UNIVERSE = [
    Instrument(
        instrument_token=256 * number + 1,
        exchange_token=number,
        exchange="NSE",
        tradingsymbol=f"SYMBOL{number}",
        segment="NSE",
        instrument_type="EQ",
        tick_size=Decimal("0.05"),
        lot_size=1,
    )
    for number in range(1, INSTRUMENTS + 1)
]
MARKS = {one.key: Decimal(1500) for one in UNIVERSE}


def ticks(count: int, seed: int, most_move: int, *, first: int = 0, after: Sequence[int] | None = None) -> list[Tick]:
    """A walk over all instruments in turn, with five levels either side; the `first` tick's number, prices `after`."""
    rng, prices = Random(seed), list(after or [MIDDLE] * INSTRUMENTS)
    found = []
    for number in range(first, first + count):
        which = number % INSTRUMENTS
        price = prices[which] = prices[which] + rng.randint(-most_move, most_move) * 500
        found.append(
            Tick(
                instrument_token=UNIVERSE[which].instrument_token,
                sequence=number + 2,
                mode=Mode.FULL,
                tradable=True,
                last_price_units=price,
                last_quantity=1,
                volume=number,
                exchange_time=START + 1 + number // INSTRUMENTS,
                buy=tuple(Level(price - 500 * step, 100, 1) for step in range(1, 6)),
                sell=tuple(Level(price + 500 * step, 100, 1) for step in range(1, 6)),
            )
        )
    return found


def signal(number: int, instrument: Instrument) -> Signal:
    """Buy and sell in turn, a second apart, at the market."""
    origin = Origin(
        run_id="run",
        frame_id="frame",
        instrument_token=instrument.instrument_token,
        tick_sequence=1,
        event_time=START + number,
        clock=START + number,
        price=Decimal(1500),
        received_ns=1,
    )
    return Signal(
        signal_id=str(number),
        account="paper:main",
        strategy="momentum",
        instrument=instrument.key,
        instrument_token=instrument.instrument_token,
        intent=Intent.OPEN,
        side=Side.SELL if number // INSTRUMENTS % 2 else Side.BUY,
        quantity=10,
        origin=origin,
    )


def order(number: int, **values: object) -> PlannedOrder:
    """An order to buy 100 at the market."""
    instrument = UNIVERSE[number % INSTRUMENTS]
    signal_id = f"earlier {number}"  # never one of `signal`'s
    order_id = ids.order_id(signal_id, 0)
    defaults: dict[str, object] = {
        "order_id": order_id,
        "signal_id": signal_id,
        "slice_number": 0,
        "account": "paper:main",
        "strategy": "momentum",
        "instrument": instrument.key,
        "instrument_token": instrument.instrument_token,
        "side": Side.SELL if number // INSTRUMENTS % 2 else Side.BUY,
        "quantity": 100,
        "order_type": OrderType.MARKET,
        "product": Product.MIS,
        "validity": Validity.DAY,
        "reduces": False,
        "tag": ids.order_tag(order_id),
        "event_time": START,
        "tick_sequence": 1,
        "run_id": "run",
        "frame_id": "frame",
        "received_ns": 1,
    }
    return PlannedOrder(**{**defaults, **values})  # type: ignore[arg-type]


def fill(number: int) -> OrderFilled:
    """The complete fill of an order."""
    planned = order(number)
    return OrderFilled(
        fill_id=ids.fill_id(planned.order_id, 100),
        order=planned,
        broker_order_id="B1",
        quantity=100,
        price=Decimal("1500.05"),
        cumulative_quantity=100,
        complete=True,
        event_time=START,
    )


def measure(name: str, batches: Iterator[Callable[[], object]], seconds: float) -> float:
    """Run batches for so long; print and return the median microseconds of a call."""
    taken: list[float] = []
    end = time.process_time() + seconds
    for batch in batches:
        begin = time.process_time()
        batch()
        now = time.process_time()
        taken.append((now - begin) / BATCH * 1e6)
        if now > end and len(taken) > 20:
            break
    found = median(taken)
    print(f"{name:44} {found:8.2f} us   p99 of batches {quantiles(taken, n=100)[98]:8.2f} us")
    return found


def measure_decisions(calls: int) -> dict[str, float]:
    """Time single decisions; print their percentiles, and return them in microseconds."""
    exposure = exposure_with_positions()
    picture = MarketPicture(clock=START, phase=Phase.CONTINUOUS, trading_state=TradingState.ACTIVE, marks=MARKS)
    taken = []
    for number in range(calls):
        instrument = UNIVERSE[number % INSTRUMENTS]
        wish = signal(number % BATCH, instrument)
        begin = time.process_time_ns()
        decide(wish, exposure, LIMITS, picture, instrument)
        taken.append((time.process_time_ns() - begin) / 1000)
    cuts = quantiles(taken, n=1000)
    print(f"{'decide, one by one':44} {cuts[499]:8.2f} us   p99 {cuts[989]:.2f} us   p99.9 {cuts[998]:.2f} us")
    return {"p50_us": round(cuts[499], 2), "p99_us": round(cuts[989], 2), "p99_9_us": round(cuts[998], 2)}


def strategy_batches(kind: int) -> Iterator[Callable[[], object]]:
    """A warm strategy on a market too quiet for wishes."""
    chosen = BUILT_IN[kind]
    parameters = chosen.parameters_type.model_validate(
        {"every_seconds": 86_400} if chosen.name == "low_frequency" else {}
    )
    strategy = chosen(parameters, {one.instrument_token: one for one in UNIVERSE})
    for one in ticks(INSTRUMENTS * 40, 1, 0):
        strategy.on_tick(one, one.exchange_time)
    quiet = ticks(BATCH, 2, 0)

    def batch() -> None:
        for one in quiet:
            strategy.on_tick(one, START)

    while True:
        yield batch


def exposure_with_positions() -> Exposure:
    """One position in each of the instruments."""
    found = Exposure(account=new_account("paper:main", Decimal(10**9)))
    found.account.day = "2026-08-20"
    for number in range(INSTRUMENTS):
        apply_fill(found.account, fill(number), UNIVERSE[number])
    return found


def accepted(result: AcceptedSignal | DeniedSignal) -> AcceptedSignal:
    """The acceptance; the benchmark must not measure refusals."""
    if isinstance(result, AcceptedSignal):
        return result
    raise RuntimeError(f"Denied: {result.message}")


def decide_batches() -> Iterator[Callable[[], object]]:
    """Entries against an account with a position in every instrument."""
    exposure = exposure_with_positions()
    picture = MarketPicture(clock=START, phase=Phase.CONTINUOUS, trading_state=TradingState.ACTIVE, marks=MARKS)
    wishes = [
        (signal(number, UNIVERSE[number % INSTRUMENTS]), UNIVERSE[number % INSTRUMENTS]) for number in range(BATCH)
    ]

    def batch() -> None:
        for wish, instrument in wishes:
            accepted(decide(wish, exposure, LIMITS, picture, instrument))

    while True:
        yield batch


def quiet_match_batches() -> Iterator[Callable[[], object]]:
    """Ticks of an instrument without resting orders."""
    exchange, some, moment = PaperExchange(), ticks(BATCH, 3, 3), Moment(START)

    def batch() -> None:
        for one in some:
            exchange.on_tick(one, moment, "run")

    while True:
        yield batch


def fill_match_batches() -> Iterator[Callable[[], object]]:
    """A market order placed and filled by the next tick."""
    some = ticks(BATCH, 3, 3)
    orders = [order(number) for number in range(BATCH)]

    def batch() -> None:
        exchange, moment = PaperExchange(), Moment(START + 5)
        for one, tick in zip(orders, some, strict=True):
            exchange.submit(one)
            exchange.on_tick(tick, moment, "run")

    while True:
        yield batch


def fold_batches() -> Iterator[Callable[[], object]]:
    """Reports that fill an order."""
    records = [submitted(order(number)) for number in range(BATCH)]
    reports = [
        OrderUpdate(
            order_id=record.order.order_id,
            broker_order_id="B1",
            status=OrderStatus.FILLED,
            cumulative_quantity=100,
            average_price=Decimal(1500),
            event_time=START,
            reporter="paper",
        )
        for record in records
    ]

    def batch() -> None:
        for record, report in zip(records, reports, strict=True):
            fold(record, report)

    while True:
        yield batch


def fill_batches() -> Iterator[Callable[[], object]]:
    """Fills that open and close positions, with their charges."""
    account, number = new_account("paper:main", Decimal(10**9)), 0
    while True:
        fills = [(fill(number + one), UNIVERSE[(number + one) % INSTRUMENTS]) for one in range(BATCH)]
        number += BATCH

        def batch(fills: list[tuple[OrderFilled, Instrument]] = fills) -> None:
            for one, instrument in fills:
                apply_fill(account, one, instrument)

        yield batch


def life_of_an_order_batches() -> Iterator[Callable[[], object]]:
    """Decide, reserve, place, match, fold, and book the fill in the account, as a backtest does."""
    exposure = exposure_with_positions()
    picture = MarketPicture(clock=START, phase=Phase.CONTINUOUS, trading_state=TradingState.ACTIVE, marks=MARKS)
    exchange, number = PaperExchange(MatchingRules(latency_ms=0)), 0

    def live(wish: Signal, instrument: Instrument, tick: Tick) -> None:
        result = accepted(decide(wish, exposure, LIMITS, picture, instrument))
        reserve(exposure, result, instrument)
        for planned in result.orders:
            record = submitted(planned)
            for report in exchange.submit(planned) + exchange.on_tick(tick, Moment(tick.exchange_time), "run"):
                folded = fold(record, report)
                record = folded.record
                for one in folded.fills:
                    free_exposure(exposure, one, instrument)

    while True:
        some = ticks(BATCH, number, 3)
        lives = []
        for tick in some:
            which = (tick.sequence - 2) % INSTRUMENTS
            lives.append((signal(number, UNIVERSE[which]), UNIVERSE[which], _at(tick, START + number)))
            number += 1

        def batch(lives: list[tuple[Signal, Instrument, Tick]] = lives) -> None:
            for wish, instrument, tick in lives:
                live(wish, instrument, tick)

        yield batch


def _at(tick: Tick, second: int) -> Tick:
    values = {name: getattr(tick, name) for name in tick.__struct_fields__}
    return Tick(**{**values, "exchange_time": second})


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each function is measured")
    seconds = parser.parse_args().seconds
    for kind, strategy in enumerate(BUILT_IN):
        taken = measure(f"{strategy.name}.on_tick, nothing happens", strategy_batches(kind), seconds)
        if strategy.name == "momentum":
            print(f"{'':44} {1e6 / taken:8,.0f} ticks/s")
    measure(f"decide, {INSTRUMENTS} positions", decide_batches(), seconds)
    measure_decisions(int(20_000 * seconds))
    measure("match, nothing rests", quiet_match_batches(), seconds)
    measure("place and match, filled", fill_match_batches(), seconds)
    measure("fold, filled", fold_batches(), seconds)
    measure("apply_fill", fill_batches(), seconds)
    taken = measure("an order from decision to account", life_of_an_order_batches(), seconds)
    print(f"{'':44} {1e6 / taken:8,.0f} orders/s")


if __name__ == "__main__":
    main()
