"""Real dumps of Kite: every row is read, and what is known of them holds."""

from __future__ import annotations

import gzip
from decimal import Decimal

import pytest

from models.messages.ticks import to_units
from tests.shared_data import shared_data
from trading.market.instruments import Instrument, InstrumentRegistry, Problem, parse_dump


@pytest.fixture(scope="module")
def nse() -> tuple[list[Instrument], list[Problem]]:
    raw = shared_data("instruments", "kite_NSE_2025-10-22.csv.gz").read_bytes()
    return parse_dump(gzip.decompress(raw).decode())


def test_every_row_of_the_nse_dump_is_an_instrument(nse: tuple[list[Instrument], list[Problem]]) -> None:
    found, problems = nse
    assert problems == []
    assert len(found) == 8_456
    assert sum(one.segment == "INDICES" for one in found) == 117


def test_indices_alone_cannot_be_traded(nse: tuple[list[Instrument], list[Problem]]) -> None:
    assert {one.segment for one in nse[0] if not one.is_tradable} == {"INDICES"}


def test_tick_sizes_are_those_the_exchange_uses(nse: tuple[list[Instrument], list[Problem]]) -> None:
    sizes = {one.tick_size for one in nse[0] if one.is_tradable}
    assert sizes == {Decimal(size) for size in ("0.01", "0.05", "0.1", "0.5", "1", "5")}
    assert all(to_units(size) > 0 for size in sizes)


def test_well_known_instruments_are_found_by_key_and_token(nse: tuple[list[Instrument], list[Problem]]) -> None:
    registry = InstrumentRegistry(nse[0])
    infosys = registry.by_key("NSE:INFY")
    assert infosys is not None
    assert (infosys.instrument_token, infosys.lot_size) == (408_065, 1)
    assert registry.by_token(256_265) is registry.by_key("NSE:NIFTY 50")
    assert len(registry) == len(nse[0])


def test_derivatives_are_read_with_expiry_strike_and_lot() -> None:
    found, problems = parse_dump(shared_data("instruments", "kite_NFO_BFO_2026-08-18_trimmed.csv").read_text())
    assert problems == []
    assert len(found) == 3_474
    assert {one.instrument_type for one in found} == {"FUT", "CE", "PE"}
    assert all(one.expiry is not None and one.is_tradable for one in found)
    assert all((one.strike > 0) is (one.instrument_type != "FUT") for one in found)
    lots = {one.name: one.lot_size for one in found}
    assert {name: lots[name] for name in ("NIFTY", "BANKNIFTY", "SENSEX", "RELIANCE", "INFY")} == {
        "NIFTY": 65,
        "BANKNIFTY": 30,
        "SENSEX": 20,
        "RELIANCE": 500,
        "INFY": 400,
    }


def test_a_damaged_row_of_a_real_dump_is_named_by_its_line() -> None:
    raw = shared_data("instruments", "kite_NSE_2025-10-22.csv.gz").read_bytes()
    lines = gzip.decompress(raw).decode().splitlines()
    lines[100] = lines[100].replace(",", ";")
    lines[200] = lines[201]
    found, problems = parse_dump("\n".join(lines))
    assert [problem.line for problem in problems] == [101, 202]
    assert len(found) == 8_454
