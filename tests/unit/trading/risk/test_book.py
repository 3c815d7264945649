"""Figures of the book: what positions and orders are worth, what they take, and what has been lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.orders import Product, Side
from models.messages.signals import AcceptedSignal
from tests.factories import exposure, instrument, limits, market
from tests.unit.trading.risk.asking import KEY, answer, ask, close, entry, future, holding, of, option, working
from trading.accounting.account import equity, mark_to_market, strategy_day_pnl
from trading.market.instruments import Instrument
from trading.risk.exposure import Exposure
from trading.risk.figures import figures

BUY, SELL = Side.BUY, Side.SELL
CNC, MIS, NRML = Product.CNC, Product.MIS, Product.NRML
PUT = option(tradingsymbol="NIFTY26AUG25000PE", instrument_type="PE", instrument_token=2_000_386, exchange_token=7_814)
CALL, FUTURE = option(), future()


def mixed() -> Exposure:
    """Every kind of position and of entry, of two strategies, at 1,500 rupees each."""
    found = exposure()
    found.account.cash = found.account.start_cash = Decimal(10_000_000)
    for quantity, product, strategy, traded in (
        (10, CNC, "momentum", instrument()),
        (-20, MIS, "momentum", instrument()),
        (30, MIS, "rsi", instrument()),
        (65, NRML, "momentum", FUTURE),
        (-130, NRML, "rsi", FUTURE),
        (65, NRML, "momentum", CALL),
        (-195, NRML, "rsi", PUT),
    ):
        holding(quantity, product, strategy=strategy, of=traded, into=found)
    working(found, BUY, 5)
    working(found, SELL, 6, strategy="rsi")
    working(found, BUY, 7, product=CNC)
    working(found, SELL, 65, of=FUTURE, product=NRML)
    working(found, SELL, 65, of=CALL, product=NRML, strategy="rsi")
    working(found, BUY, 130, of=PUT, product=NRML)
    working(found, SELL, 10, product=CNC, reduces=True)
    return found


def test_what_everything_is_worth_and_takes() -> None:
    found = figures(mixed(), "momentum", limits(), {})
    held, own_held = 10 + 20 + 30 + 65 + 130 + 65 + 195, 10 + 20 + 65 + 65
    entries, own_entries = 5 + 6 + 7 + 65 + 65 + 130, 5 + 7 + 65 + 130
    assert found.gross == (held + entries) * 1500
    assert found.strategy_gross == (own_held + own_entries) * 1500
    paid = (10 + 65 + 7 + 130) * 1500  # delivery shares and options bought
    intraday, futures = (20 + 30 + 5 + 6) * 1500, (65 + 130 + 65) * 1500
    written = (195 + 65) * 25_000
    assert found.blocked == paid + (intraday + futures) * Decimal("0.2") + written * Decimal("0.15")
    assert found.free == found.equity - found.blocked


@pytest.mark.parametrize("strategy", ["momentum", "rsi", "nobody"])
@pytest.mark.parametrize("mark", [None, "1400", "1600.55"])
def test_profit_and_loss_are_the_accounts(strategy: str, mark: str | None) -> None:
    book = mixed()
    marks = {} if mark is None else {KEY: Decimal(mark), FUTURE.key: Decimal(mark) * 2, CALL.key: Decimal(mark) / 2}
    found = figures(book, strategy, limits(), marks)
    assert found.equity == equity(book.account, marks)
    assert found.day_loss == book.account.day_start_equity - equity(book.account, marks)
    assert found.strategy_day_loss == -strategy_day_pnl(book.account, strategy, marks)


def test_an_account_that_has_been_marked_needs_no_marks() -> None:
    book, marks = mixed(), {KEY: Decimal(1600), FUTURE.key: Decimal(1700)}
    before = figures(book, "rsi", limits(), marks)
    mark_to_market(book.account, marks)
    assert figures(book, "rsi", limits(), {}) == before


@pytest.mark.parametrize(("mark", "found"), [("1499.99", [(SELL, 10, False)]), ("1500", "gross_exposure")])
def test_gross_exposure_is_at_the_marks_and_counts_shorts(mark: str, found: object) -> None:
    """A short of 10 at its mark, an entry of 5 that works at 1,500 and this one of 10 at 1,500."""
    book = holding(-10)
    working(book, SELL, 5)
    most = limits(max_gross_exposure=Decimal("37499.99"))
    assert ask(entry(side=SELL), book, most, market(marks={KEY: Decimal(mark)})) == found


@pytest.mark.parametrize(("mark", "found"), [("1495.01", [(BUY, 10, False)]), ("1495", "daily_loss")])
def test_the_days_loss_counts_open_positions(mark: str, found: object) -> None:
    book = holding(10)
    book.account.day_start_equity -= book.account.charges
    book.account.books["momentum"].day_start_equity -= book.account.charges
    most = limits(max_daily_loss=Decimal(50))
    picture = market(marks={KEY: Decimal(mark)})
    assert ask(entry(), book, most, picture) == found
    assert ask(close(), book, most, picture) == [(SELL, 10, True)]


def test_charges_count_in_the_days_loss_of_account_and_strategy() -> None:
    book = holding(10)
    charges = book.account.charges
    more = charges + Decimal("0.0001")
    assert charges > 0
    assert ask(entry(), book, limits(max_daily_loss=charges)) == "daily_loss"
    assert ask(entry(), book, limits(max_daily_loss=more)) == [(BUY, 10, False)]
    assert ask(entry(), book, own=limits(max_daily_loss=charges)) == "daily_loss"
    assert ask(entry(), book, own=limits(max_daily_loss=more)) == [(BUY, 10, False)]
    assert ask(entry(strategy="rsi"), book, own=limits(max_daily_loss=charges)) == [(BUY, 10, False)]


def test_a_strategy_may_lose_no_more_than_the_account_also_when_another_has_made_up_for_it() -> None:
    book = holding(10)
    book.account.books["momentum"].day_start_equity += 100
    book.account.day_start_equity -= book.account.charges
    assert ask(entry(), book, limits(max_daily_loss=Decimal(100))) == "daily_loss"
    assert ask(entry(strategy="rsi"), book, limits(max_daily_loss=Decimal(100))) == [(BUY, 10, False)]


def test_every_slice_counts_as_an_order_of_the_strategy() -> None:
    sliced = instrument(freeze_quantity=5)
    for name in ("max_open_orders", "max_daily_trades", "max_order_rate"):
        two, one = limits(**{name: 2}), limits(**{name: 1})
        assert ask(entry(), None, own=two, of=sliced) == [(BUY, 5, False)] * 2
        result = answer(entry(), None, own=one, of=sliced)
        assert not isinstance(result, AcceptedSignal)
        assert (result.values["found"], result.values["limit"], result.values["book"]) == ("2", "1", "momentum")
        result = answer(entry(), None, one, of=sliced)
        assert not isinstance(result, AcceptedSignal)
        assert result.values["book"] == "account"


def test_a_strategys_limit_cannot_loosen_its_accounts() -> None:
    book = holding(10, strategy="rsi")
    tight, loose = {"max_daily_loss": book.account.charges}, limits(max_daily_loss=Decimal(10**9))
    assert ask(entry(), book, limits(**tight), own=loose) == "daily_loss"
    tight = {"max_gross_exposure": Decimal(29_999)}
    loose = limits(max_gross_exposure=Decimal(10**9))
    assert ask(entry(), book, limits(**tight), own=loose) == "gross_exposure"
    loose, tight = limits(max_open_orders=9), {"max_open_orders": 1}
    working(book, BUY, 1, strategy="rsi")
    assert ask(entry(), book, limits(**tight), own=loose) == "open_orders"


def test_a_limit_of_one_order_is_the_strategys_own() -> None:
    assert ask(entry(), None, limits(max_order_quantity=9), own=limits(max_order_quantity=10)) == [(BUY, 10, False)]
    assert ask(entry(), None, limits(max_order_quantity=10), own=limits(max_order_quantity=9)) == "quantity_limit"


@pytest.mark.parametrize(("most", "found"), [(15, [(BUY, 10, False)]), (14, "position_limit")])
def test_the_position_limit_counts_what_works_on_its_side(most: int, found: object) -> None:
    book = exposure()
    working(book, BUY, 5)
    assert ask(entry(), book, limits(max_position_quantity=most)) == found


def test_the_position_limit_does_not_count_on_an_exit_that_has_not_filled() -> None:
    book = holding(10)
    working(book, SELL, 10, reduces=True)
    assert ask(entry(), book, limits(max_position_quantity=19)) == "position_limit"
    assert ask(entry(), book, limits(max_position_quantity=20)) == [(BUY, 10, False)]


def test_the_position_limit_counts_all_products_of_the_strategy() -> None:
    book = holding(10, CNC)
    holding(50, strategy="rsi", into=book)
    assert ask(entry(), book, limits(max_position_quantity=19)) == "position_limit"
    assert ask(entry(), book, limits(max_position_quantity=20)) == [(BUY, 10, False)]


@pytest.mark.parametrize(
    ("traded", "product", "side", "lots", "need"),
    [
        (instrument(), CNC, BUY, 10, "15000"),
        (instrument(), MIS, BUY, 10, "3000"),
        (instrument(), MIS, SELL, 10, "3000"),
        (FUTURE, NRML, BUY, 65, "19500"),
        (FUTURE, MIS, SELL, 65, "19500"),
        (CALL, NRML, BUY, 65, "97500"),
        (CALL, NRML, SELL, 65, "243750"),
    ],
    ids=lambda value: getattr(value, "tradingsymbol", str(value)),
)
def test_what_an_order_needs(traded: Instrument, product: Product, side: Side, lots: int, need: str) -> None:
    wish = entry(**of(traded), product=product, side=side, quantity=lots)
    for short, passes in ((Decimal("0.01"), False), (Decimal(0), True)):
        book = exposure()
        book.account.cash = book.account.day_start_equity = Decimal(need) - short
        book.account.high_water_mark = book.account.cash
        result = answer(wish, book, of=traded)
        assert isinstance(result, AcceptedSignal) is passes
        if not isinstance(result, AcceptedSignal):
            assert (result.code, Decimal(result.values["need"])) == ("buying_power", Decimal(need))
            assert Decimal(result.values["limit"]) == Decimal(need) - short


def test_an_exit_needs_nothing() -> None:
    book = holding(10)
    book.account.cash = Decimal(0)
    assert ask(close(), book) == [(SELL, 10, True)]


def test_drawdown_is_measured_from_the_high_water_mark_at_any_mark() -> None:
    book = holding(10)
    book.account.high_water_mark = Decimal(2_000_000)
    assert ask(entry(), book, limits(max_drawdown_percent=Decimal(50))) == "max_drawdown"
    assert ask(entry(), book, limits(max_drawdown_percent=Decimal(51))) == [(BUY, 10, False)]
    fallen = market(marks={KEY: Decimal(1)})
    assert ask(entry(), book, limits(max_drawdown_percent=Decimal(51)), fallen) == [(BUY, 10, False)]
    book.account.high_water_mark = Decimal(1_000_000)
    assert ask(entry(), book, limits(max_drawdown_percent=Decimal("1.49")), fallen) == "max_drawdown"


def test_denials_say_which_book_is_full() -> None:
    book = holding(10, strategy="rsi")
    result = answer(entry(), book, limits(max_gross_exposure=Decimal(20_000)))
    assert not isinstance(result, AcceptedSignal)
    assert result.message == "Gross exposure of 30000 against a limit of 20000 (account)"
    assert result.values == {"found": "30000", "limit": "20000", "book": "account"}
    result = answer(entry(), book, own=limits(max_gross_exposure=Decimal(10_000)))
    assert not isinstance(result, AcceptedSignal)
    assert result.values["book"] == "momentum"
