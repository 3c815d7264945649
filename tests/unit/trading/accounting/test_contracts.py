"""Terms of contracts: what settles in cash, on which index, at which worth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.factories import instrument
from tests.shared_data import shared_data
from tests.unit.trading.accounting.books import TUESDAY, contract
from trading.accounting.contracts import INDEX_OF, Contract, ContractKind, contract_of


def test_shares_are_no_contract() -> None:
    assert contract_of(instrument()) is None


def test_a_contract_keeps_its_terms() -> None:
    terms = contract_of(contract("CE", strike=24_000))
    assert terms == Contract(kind=ContractKind.CALL, expiry=TUESDAY, strike=Decimal(24_000), index="NSE:NIFTY 50")
    assert terms is not None
    assert not terms.is_future
    future = contract_of(contract("FUT"))
    assert future is not None
    assert future.is_future


def test_a_contract_on_a_stock_has_no_index() -> None:
    terms = contract_of(contract("PE", name="RELIANCE", strike=1400))
    assert terms is not None
    assert (terms.kind, terms.index) == (ContractKind.PUT, "")


@pytest.mark.parametrize(
    ("kind", "final", "worth"),
    [
        ("FUT", "24100.5", "24100.5"),
        ("CE", "24100.5", "100.5"),
        ("CE", "24000", "0"),
        ("CE", "23999.95", "0"),
        ("PE", "23999.95", "0.05"),
        ("PE", "24000", "0"),
        ("PE", "24100.5", "0"),
    ],
)
def test_worth_at_the_final_price(kind: str, final: str, worth: str) -> None:
    terms = contract_of(contract(kind, strike=24_000))
    assert terms is not None
    assert terms.worth_at(Decimal(final)) == Decimal(worth)


@pytest.mark.parametrize(("day", "expired"), [("2026-08-24", False), ("2026-08-25", False), ("2026-08-26", True)])
def test_a_contract_lives_through_its_last_day(day: str, expired: bool) -> None:
    terms = contract_of(contract())
    assert terms is not None
    assert terms.has_expired(date.fromisoformat(day)) is expired


def test_a_contract_without_a_date_never_expires() -> None:
    assert not Contract(kind=ContractKind.FUTURE).has_expired(date.max)


def test_the_indices_are_called_that_in_kites_dump() -> None:
    import gzip

    with gzip.open(shared_data("instruments", "kite_NSE_2025-10-22.csv.gz"), "rt") as dump:
        indices = {f"NSE:{row.split(',')[2]}" for row in dump if ",INDICES," in row}
    assert {key for key in INDEX_OF.values() if key.startswith("NSE:")} <= indices


def test_index_futures_of_kites_dump_settle_in_cash() -> None:
    rows = shared_data("instruments", "kite_NFO_BFO_2026-08-18_trimmed.csv").read_text().splitlines()
    names = {row.split(",")[3] for row in rows if row.split(",")[9] == "FUT"}
    assert set(INDEX_OF) <= names
    assert {"RELIANCE", "INFY"} <= names - set(INDEX_OF)
