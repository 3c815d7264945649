"""Real dumps of Kite: every line is read, and what is known of them holds."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from brokers.errors import BrokerFailure
from brokers.zerodha.instruments import download_dump
from faust_app.runtime.instrument_load import FREEZE_QUANTITIES, read_freeze_quantities
from models.messages.ticks import to_units
from tests.exchange import Exchange, synthetic
from tests.shared_data import shared_data
from trading.market.freeze_quantities import freeze_quantities_on
from trading.market.instrument_dump import Dump, parse_dump
from trading.market.instrument_findings import FindingCode
from trading.market.instruments import InstrumentRegistry
from trading.market.listings import Update, objection, update

CASH_DAY = date(2025, 10, 22)
CONTRACTS_DAY = date(2026, 8, 18)


def nse_text() -> str:
    return gzip.decompress(shared_data("instruments", "kite_NSE_2025-10-22.csv.gz").read_bytes()).decode()


def contracts_text() -> str:
    return shared_data("instruments", "kite_NFO_BFO_2026-08-18_trimmed.csv").read_text()


@pytest.fixture(scope="module")
def nse() -> Dump:
    return parse_dump(nse_text(), CASH_DAY)


@pytest.fixture(scope="module")
def both() -> Update:
    """The cash dump, then the contracts of the day, with the freeze quantities as configured."""
    freeze = freeze_quantities_on(CONTRACTS_DAY, read_freeze_quantities(FREEZE_QUANTITIES))
    cash = update({}, parse_dump(nse_text(), CONTRACTS_DAY), freeze)
    return update(cash.listings, parse_dump(contracts_text(), CONTRACTS_DAY), freeze)


def test_every_line_of_the_nse_dump_is_an_instrument(nse: Dump) -> None:
    assert nse.findings == ()
    assert (nse.lines, len(nse.instruments)) == (8_456, 8_456)
    assert sum(one.segment == "INDICES" for one in nse.instruments.values()) == 117


def test_indices_alone_cannot_be_traded(nse: Dump) -> None:
    assert {one.segment for one in nse.instruments.values() if not one.is_tradable} == {"INDICES"}


def test_tick_sizes_are_those_the_exchange_uses(nse: Dump) -> None:
    sizes = {one.tick_size for one in nse.instruments.values() if one.is_tradable}
    assert sizes == {Decimal(size) for size in ("0.01", "0.05", "0.1", "0.5", "1", "5")}
    assert all(to_units(size) > 0 for size in sizes)


def test_well_known_instruments_are_found_by_key_and_token(nse: Dump) -> None:
    registry = InstrumentRegistry(nse.instruments.values())
    infosys = registry.by_key("NSE:INFY")
    assert infosys is not None
    assert (infosys.instrument_token, infosys.lot_size) == (408_065, 1)
    assert registry.by_token(256_265) is registry.by_key("NSE:NIFTY 50")
    assert len(registry) == len(nse.instruments)


def test_derivatives_are_read_with_expiry_strike_lot_and_underlying() -> None:
    dump = parse_dump(contracts_text(), CONTRACTS_DAY)
    found = list(dump.instruments.values())
    assert dump.findings == ()
    assert len(found) == 3_474
    assert {one.instrument_type for one in found} == {"FUT", "CE", "PE"}
    assert all(one.expiry is not None and one.is_tradable for one in found)
    assert all((one.strike > 0) is (one.instrument_type != "FUT") for one in found)
    assert all(one.tradingsymbol.startswith(one.underlying) for one in found)
    lots = {one.underlying: one.lot_size for one in found}
    assert {name: lots[name] for name in ("NIFTY", "BANKNIFTY", "SENSEX", "RELIANCE", "INFY")} == {
        "NIFTY": 65,
        "BANKNIFTY": 30,
        "SENSEX": 20,
        "RELIANCE": 500,
        "INFY": 400,
    }


def test_stocks_with_a_contract_have_derivatives_and_no_others(both: Update) -> None:
    rows = csv.DictReader(contracts_text().splitlines())
    underlyings = {row["name"] for row in rows}
    found = {one.instrument.tradingsymbol for one in both.listings.values() if one.instrument.has_derivatives}
    stocks = {
        one.instrument.tradingsymbol for one in both.listings.values() if one.instrument.segment in ("NSE", "BSE")
    }
    assert found == underlyings & stocks
    assert {"RELIANCE", "INFY", "M&M", "BAJAJ-AUTO"} <= found
    assert {"NIFTY 50", "IDEAFORGE"}.isdisjoint(found)
    assert len(found) > 180


def test_index_contracts_have_the_configured_freeze_quantity(both: Update) -> None:
    found = {
        one.instrument.underlying: one.instrument.freeze_quantity
        for one in both.listings.values()
        if one.instrument.freeze_quantity is not None
    }
    assert found == {
        "NIFTY": 1800,
        "BANKNIFTY": 600,
        "FINNIFTY": 1800,
        "MIDCPNIFTY": 2800,
        "NIFTYNXT50": 600,
        "SENSEX": 1000,
        "BANKEX": 900,
    }
    unknown = [one for one in both.findings if one.code is FindingCode.FREEZE_QUANTITY_UNKNOWN]
    assert len(unknown) == 1
    assert not any(one.is_refusal for one in both.findings)


def test_last_months_contracts_are_refused_whole() -> None:
    dump = parse_dump(contracts_text(), date(2026, 11, 20))
    assert "3474 of 3474 lines are refused, more than 10 % (expired 3474" in (objection(dump) or "")


def test_a_damaged_line_of_a_real_dump_is_named() -> None:
    lines = nse_text().splitlines()
    lines[100] = lines[100].replace(",", ";")
    lines[200] = lines[201]
    dump = parse_dump("\n".join(lines), CASH_DAY)
    assert [one.line for one in dump.findings] == [101, 202]
    assert len(dump.instruments) == 8_454


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    running = Exchange(synthetic())
    yield running
    running.stop()


def test_the_client_downloads_the_dump_with_and_without_a_session(exchange: Exchange) -> None:
    client = exchange.client()
    with_session = download_dump(exchange.root, client.api_key, client.access_token)
    assert download_dump(exchange.root, "", "") == with_session
    dump = parse_dump(with_session.decode(), CASH_DAY)
    assert {one.key for one in dump.instruments.values()} == {
        f"{row['exchange']}:{row['tradingsymbol']}" for row in client.instruments()
    }


def test_a_server_that_is_away_is_one_sentence_without_the_token() -> None:
    with pytest.raises(BrokerFailure, match="^The broker sent no instrument dump: ConnectionError$"):
        download_dump("http://127.0.0.1:1", "key", "secret-token")
