"""Expiry: index contracts settle at the final price, and what needs a person says so."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from models.messages.orders import Product
from models.messages.portfolio import AccountAlarm, AlarmKind
from tests.factories import ACCOUNT
from tests.unit.trading.accounting.books import FRIDAY, MONDAY, START, THURSDAY, TUESDAY, WEDNESDAY, Books, contract
from trading.accounting.account import new_account
from trading.accounting.expiry import alarms, settle_expired
from trading.charges.fees import exercise_charges

D = Decimal
CALL = contract("CE", strike=24_000)
PUT = contract("PE", strike=24_000)


def opened(of: object, quantity: int, price: str, **values: object) -> tuple[Books, Decimal, Decimal]:
    """An account with the position, its cash and charges."""
    books = Books(MONDAY)
    books.trade(quantity, price, of, product=Product.NRML, **values)  # type: ignore[arg-type]
    return books, books.account.cash, books.account.charges


@pytest.mark.parametrize(
    ("of", "quantity", "price", "final", "cash", "realised", "taxed"),
    [
        (CALL, 65, "150", "24100", 6_500, 65 * -50, 6_500),
        (CALL, 65, "150", "23900", 0, 65 * -150, 0),
        (CALL, 1, "150", "24100", 100, -50, 100),
        (CALL, -65, "150", "24100", -6_500, 65 * 50, 0),
        (CALL, -65, "150", "23900", 0, 65 * 150, 0),
        (PUT, 65, "150", "23900", 6_500, 65 * -50, 6_500),
        (PUT, 65, "150", "24000", 0, 65 * -150, 0),
        (contract("FUT"), 65, "24000", "24100", 6_500, 6_500, 0),
        (contract("FUT"), -65, "24000", "24100", -6_500, -6_500, 0),
    ],
)
def test_contracts_settle_at_the_final_price_and_exercise_is_taxed(
    of: object, quantity: int, price: str, final: str, cash: int, realised: int, taxed: int
) -> None:
    books, before, charged = opened(of, quantity, price)
    assert settle_expired(books.account, of.key, D(final)) == 1  # type: ignore[attr-defined]
    account, tax = books.account, exercise_charges(D(taxed), TUESDAY)
    assert (account.cash, account.realised, account.charges) == (before + cash - tax, realised, charged + tax)
    assert account.books["momentum"].realised == realised
    assert [one.quantity for one in account.positions.values()] == [0]
    assert settle_expired(account, of.key, D(final)) == 0  # type: ignore[attr-defined]
    assert account.cash == account.start_cash + account.realised - account.charges


def test_every_strategys_position_in_the_contract_is_settled_and_no_other() -> None:
    books, _, _ = opened(CALL, 65, "150")
    books.trade(-130, "150", CALL, product=Product.NRML, strategy="rsi")
    other = books.trade(65, "10", PUT, product=Product.NRML)
    shares = books.trade(5, "100")
    assert settle_expired(books.account, CALL.key, D(24_100)) == 2
    assert (other.quantity, shares.quantity) == (65, 5)
    assert books.account.books["rsi"].realised == 130 * 50
    assert settle_expired(books.account, shares.instrument, D(1)) == 0


def test_the_tax_is_that_of_the_day_of_expiry() -> None:
    old = contract("CE", strike=24_000, expiry=date(2026, 3, 30))
    books, _, charged = opened(old, 65, "150")
    settle_expired(books.account, old.key, D(24_100))
    assert books.account.charges - charged == D("6500") * D("0.00125") + D("23.6")


def test_an_option_without_a_date_is_settled_untaxed() -> None:
    undated = contract("CE", strike=24_000, expiry=None)
    books, _, charged = opened(undated, 65, "150")
    assert settle_expired(books.account, undated.key, D(24_100)) == 1
    assert books.account.charges == charged


def kinds(books: Books, days_before: int = 5) -> list[AlarmKind]:
    return [one.kind for one in alarms(books.account, days_before)]


@pytest.mark.parametrize(
    ("days_away", "days_before", "near"), [(6, 5, False), (5, 5, True), (0, 5, True), (1, 0, False), (0, 0, True)]
)
def test_delivery_is_announced_days_before(days_away: int, days_before: int, near: bool) -> None:
    books = Books()
    expiry = THURSDAY + timedelta(days=days_away)
    books.trade(500, "1400", contract("FUT", name="RELIANCE", expiry=expiry), product=Product.NRML)
    assert kinds(books, days_before) == ([AlarmKind.DELIVERY_NEAR] if near else [])


def test_an_alarm_says_what_and_whose() -> None:
    books = Books(MONDAY)
    books.trade(-500, "1400", contract("PE", name="RELIANCE", strike=1400), product=Product.NRML, strategy="rsi")
    assert alarms(books.account, 5) == (
        AccountAlarm(
            kind=AlarmKind.DELIVERY_NEAR,
            strategy="rsi",
            instrument="NFO:RELIANCE1400PE",
            product=Product.NRML,
            quantity=-500,
            expiry=TUESDAY,
        ),
    )


def test_index_contracts_are_not_delivered() -> None:
    books = Books(TUESDAY)
    books.trade(65, "24000", contract("FUT"), product=Product.NRML)
    assert kinds(books) == []


@pytest.mark.parametrize("name", ["NIFTY", "RELIANCE"])
def test_what_has_expired_and_was_not_settled_says_so(name: str) -> None:
    books = Books(TUESDAY)
    books.trade(65, "24000", contract("FUT", name=name), product=Product.NRML)
    books.roll(WEDNESDAY)
    assert kinds(books) == [AlarmKind.EXPIRED]


def test_a_contract_without_a_date_raises_no_alarm() -> None:
    books = Books()
    books.trade(65, "24000", contract("FUT", name="RELIANCE", expiry=None), product=Product.NRML)
    assert kinds(books) == []


def test_more_deliveries_sold_than_held_go_to_auction() -> None:
    books = Books()
    books.deliver(10, "100")
    books.deliver(-10, "100")
    assert kinds(books) == []
    books.deliver(-1, "100")
    assert kinds(books) == [AlarmKind.SHORT_DELIVERY]
    assert alarms(books.account, 5)[0].expiry is None


def test_an_intraday_position_left_open_says_so_from_the_next_day_on() -> None:
    books = Books()
    books.trade(-10, "100")
    held = books.deliver(10, "100")
    assert kinds(books) == []
    books.roll(FRIDAY)
    assert [(one.kind, one.product) for one in alarms(books.account, 5)] == [(AlarmKind.INTRADAY_CARRIED, Product.MIS)]
    assert held.overnight_quantity == 10
    books.trade(10, "100")
    assert kinds(books) == []


def test_an_account_that_never_began_a_day_has_no_alarms() -> None:
    assert alarms(new_account(ACCOUNT, START), 5) == ()
