"""The ticks of `benchmarks/core.py` through NautilusTrader's BacktestEngine; run by it, in an environment of its own.

    VENV/bin/python benchmarks/nautilus.py TICKS.csv FAST SLOW

Imports nothing of ours. A line of the file is event second, token, last price, best bid, best ask in paise. Each tick
is a quote of 100 either side; minute bars of the mid price are aggregated by the engine, and its averages, cross and
market orders are its own. Only `BacktestEngine.run` is measured. Prints one line of JSON.
"""

import csv
import json
import sys
import time
from decimal import Decimal


def main() -> None:
    """Run once; exits with a sentence when NautilusTrader is not there."""
    try:
        import nautilus_trader
    except ImportError:
        sys.exit("nautilus_trader is not installed for this interpreter")
    file, fast, slow = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    engine, count = build(file, fast, slow)
    began = time.process_time(), time.perf_counter()
    engine.run()
    cpu, elapsed = time.process_time() - began[0], time.perf_counter() - began[1]
    fills = len(engine.trader.generate_order_fills_report())
    print(
        json.dumps(
            {
                "version": nautilus_trader.__version__,
                "ticks": count,
                "ticks_per_second": round(count / cpu),
                "cpu_seconds": round(cpu, 2),
                "elapsed_seconds": round(elapsed, 2),
                "orders_filled": fills,
            }
        )
    )


def build(file, fast, slow):
    """An engine with the market's quotes and one strategy for all instruments, and how many quotes there are."""
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import Currency
    from nautilus_trader.model.enums import AccountType, OmsType
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money

    rupee = Currency.from_str("INR")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=Venue("NSE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=rupee,
        starting_balances=[Money(10**9, rupee)],
        default_leverage=Decimal(5),
    )
    instruments, quotes = read(file, rupee)
    for instrument in instruments.values():
        engine.add_instrument(instrument)
    engine.add_data(quotes)
    engine.add_strategy(crossing(list(instruments.values()), fast, slow))
    return engine, len(quotes)


def read(file, rupee):
    """Instruments by token, and the quotes in time order."""
    from nautilus_trader.model.data import QuoteTick
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import Equity
    from nautilus_trader.model.objects import Price, Quantity

    instruments, quotes, hundred = {}, [], Quantity.from_int(100)
    with open(file) as lines:  # noqa: PTH123
        for second, token, _, bid, ask in csv.reader(lines):
            if token not in instruments:
                symbol = Symbol(f"SYMBOL{token}")
                instruments[token] = Equity(
                    instrument_id=InstrumentId(symbol, Venue("NSE")),
                    raw_symbol=symbol,
                    currency=rupee,
                    price_precision=2,
                    price_increment=Price.from_str("0.05"),
                    lot_size=Quantity.from_int(1),
                    ts_event=0,
                    ts_init=0,
                )
            prices = [Price(int(one) / 100, 2) for one in (bid, ask)]
            at = int(second) * 10**9
            quotes.append(QuoteTick(instruments[token].id, *prices, hundred, hundred, at, at))
    return instruments, quotes


def crossing(instruments, fast, slow):
    """Long 10 while the fast average is above the slow one, short 10 below."""
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.trading.strategy import Strategy

    class Crossing(Strategy):
        def on_start(self):
            self.averages, self.held = {}, {}
            for one in instruments:
                kind = BarType.from_str(f"{one.id}-1-MINUTE-MID-INTERNAL")
                pair = SimpleMovingAverage(fast), SimpleMovingAverage(slow)
                for average in pair:
                    self.register_indicator_for_bars(kind, average)
                self.averages[kind] = one, *pair
                self.held[one.id] = 0
                self.subscribe_quote_ticks(one.id)
                self.subscribe_bars(kind)

        def on_bar(self, bar):
            instrument, quick, steady = self.averages[bar.bar_type]
            if not steady.initialized or quick.value == steady.value:
                return
            wanted = 10 if quick.value > steady.value else -10
            change, self.held[instrument.id] = wanted - self.held[instrument.id], wanted
            if change:
                side = OrderSide.BUY if change > 0 else OrderSide.SELL
                quantity = instrument.make_qty(abs(change))
                self.submit_order(self.order_factory.market(instrument.id, side, quantity))

    return Crossing()


if __name__ == "__main__":
    main()
