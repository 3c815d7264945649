"""Margin: what each kind of position ties up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from faust_app.runtime.sections import RiskSettings
from models.messages.orders import Product
from tests.unit.trading.accounting.books import INFY, Books, contract
from trading.accounting.margin import MarginRates, margin_used, position_margin
from trading.market.instruments import Instrument

D = Decimal
RATES = MarginRates(intraday=D("0.25"), futures=D("0.12"), sold_options=D("0.1"))


@pytest.mark.parametrize(
    ("of", "product", "quantity", "mark", "margin"),
    [
        (INFY, Product.MIS, 10, "110", "275"),
        (INFY, Product.MIS, -10, "110", "275"),
        (INFY, Product.CNC, 10, "110", "1100"),
        (INFY, Product.NRML, 10, "110", "1100"),
        (contract("FUT"), Product.NRML, 65, "24000", "187200"),
        (contract("FUT"), Product.MIS, -65, "24000", "187200"),
        (contract("CE", strike=24_000), Product.NRML, 65, "110", "7150"),
        (contract("CE", strike=24_000), Product.NRML, 1, "110", "110"),
        (contract("CE", strike=24_000), Product.NRML, -65, "110", "156000"),
        (contract("PE", strike=24_000), Product.MIS, -65, "110", "156000"),
    ],
)
def test_what_a_position_ties_up(of: Instrument, product: Product, quantity: int, mark: str, margin: str) -> None:
    one = Books().trade(quantity, "100", of, product=product)
    assert position_margin(one, {of.key: D(mark)}, RATES) == D(margin)


def test_the_margin_of_an_account_is_that_of_what_is_open() -> None:
    books = Books()
    books.trade(10, "100")
    books.trade(-10, "100", strategy="rsi")  # no benefit for the hedge
    books.trade(5, "100", product=Product.CNC)
    books.trade(-5, "100", product=Product.CNC)
    assert margin_used(books.account, {"NSE:INFY": D(110)}, RATES) == 550


def test_the_rates_without_settings_are_those_of_the_settings() -> None:
    defaults = {name: field.default / 100 for name, field in RiskSettings.model_fields.items() if "margin" in name}
    assert MarginRates() == MarginRates(
        intraday=defaults["equity_margin_percent"],
        futures=defaults["futures_margin_percent"],
        sold_options=defaults["short_option_margin_percent"],
    )
    books = Books()
    books.trade(10, "100")
    assert margin_used(books.account, {}) == 200
