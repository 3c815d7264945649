from donchian import Donchian, DonchianParameters

from trading.market.ticks_from_bars import Bar


def test_it_buys_above_the_window_and_sells_below_it():
    strategy = Donchian(DonchianParameters(window=3), {})
    prices = [100, 101, 102, 102, 103, 104, 101]
    bars = [Bar(60 * n, price, price, price, price, 10) for n, price in enumerate(prices)]
    wishes = [wish.target_quantity for bar in bars for wish in strategy.on_bar(1, bar)]
    assert wishes == [10, 0]
