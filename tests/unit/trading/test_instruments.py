"""The dump is read with suspicion: whatever the text, refused rows are named by line and nothing is raised."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import instrument
from trading.market.instruments import COLUMNS, SEGMENT_NUMBERS, Instrument, InstrumentRegistry, parse_dump, select

HEADER = ",".join(COLUMNS)
INFY = {
    "instrument_token": "408065",
    "exchange_token": "1594",
    "tradingsymbol": "INFY",
    "name": "INFOSYS",
    "last_price": "0",
    "expiry": "",
    "strike": "0",
    "tick_size": "0.05",
    "lot_size": "1",
    "instrument_type": "EQ",
    "segment": "NSE",
    "exchange": "NSE",
}


def row(**changes: str) -> str:
    """One CSV row."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow({**INFY, **changes}.values())
    return buffer.getvalue().rstrip("\n")


def one_of(**changes: str) -> tuple[list[Instrument], list[str]]:
    """Instruments and reasons of a dump with one row."""
    found, problems = parse_dump(f"{HEADER}\n{row(**changes)}\n")
    assert all(problem.line == 2 for problem in problems)
    return found, [problem.reason for problem in problems]


def test_a_row_becomes_an_instrument_with_all_its_fields() -> None:
    found, problems = one_of(
        instrument_token=str(35_000 * 256 + 2),
        exchange_token="35000",
        tradingsymbol="NIFTY26NOV26000CE",
        name='NIFTY, "50"',
        expiry="2026-11-23",
        strike="26000.0",
        lot_size="65.0",
        instrument_type="CE",
        segment="NFO-OPT",
        exchange="NFO",
    )
    assert problems == []
    assert found[0].key == "NFO:NIFTY26NOV26000CE"
    assert found[0].co_location_group == found[0].key
    assert (found[0].name, found[0].lot_size, found[0].strike) == ('NIFTY, "50"', 65, Decimal(26_000))
    assert str(found[0].expiry) == "2026-11-23"
    assert found[0].is_tradable


def test_an_index_is_read_but_not_tradable() -> None:
    found, problems = one_of(
        instrument_token=str(1001 * 256 + 9), exchange_token="1001", tick_size="0", lot_size="0", segment="INDICES"
    )
    assert (problems, found[0].is_tradable) == ([], False)


@pytest.mark.parametrize(("exchange", "number"), SEGMENT_NUMBERS.items())
def test_the_token_holds_the_segment_number(exchange: str, number: int) -> None:
    changes = {"segment": exchange, "exchange": "NSE" if exchange == "INDICES" else exchange}
    assert one_of(**changes, instrument_token=str(1594 * 256 + number))[1] == []
    assert one_of(**changes, instrument_token=str(1594 * 256 + number + 1))[1] != []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lot_size": "Infinity"}, "lot_size Infinity is no whole number"),
        ({"lot_size": "NaN"}, "lot_size NaN is no whole number"),
        ({"lot_size": "1.5"}, "lot_size 1.5 is no whole number"),
        ({"lot_size": "1e999999999"}, "lot_size 1e999999999 is no whole number"),
        ({"strike": "NaN"}, "strike NaN is no price"),
        ({"strike": "-1"}, "strike -1 is no price"),
        ({"strike": "1e999999999"}, "strike 1e999999999 is no price"),
        ({"tick_size": "Infinity"}, "tick_size Infinity is no price"),
        ({"tick_size": "0.00001"}, "tick_size 0.00001 is no price"),
        ({"exchange_token": "-1", "instrument_token": "-255"}, "instrument_token -255 is no whole number"),
        ({"exchange_token": "0", "instrument_token": "0"}, "Token 0 is outside 1 to 4294967295"),
        ({"exchange_token": str(2**24), "instrument_token": str(2**32 + 1)}, "is outside 1 to 4294967295"),
        ({"instrument_token": "4_08065"}, "instrument_token 4_08065 is no whole number"),
        ({"instrument_token": "4" * 5000}, "is no whole number"),
        ({"tradingsymbol": "A:B"}, "must not be empty or hold a colon"),
        ({"tradingsymbol": "X" * 300}, "NSE:XXX"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_is_refused(changes: dict[str, str], reason: str) -> None:
    found, reasons = one_of(**changes)
    assert found == []
    assert len(reasons) == 1
    assert reason in reasons[0]
    assert len(reasons[0]) < 500


def test_a_finest_tick_is_accepted() -> None:
    assert one_of(tick_size="0.0001")[0][0].tick_size == Decimal("0.0001")


@pytest.mark.parametrize("broken", ["x" * 200_000, 'a"b\rc', "\x00"])
def test_a_line_that_is_no_csv_is_refused_with_its_line(broken: str) -> None:
    found, problems = parse_dump(f"{HEADER}\n{row()}\n{broken}\n")
    assert [one.key for one in found] == ["NSE:INFY"]
    assert problems
    assert problems[0].line == 3


def test_lines_are_counted_over_names_that_span_several() -> None:
    text = f"{HEADER}\n{row(name='two' + chr(10) + 'lines')}\n{row()}\n"
    assert [(problem.line, problem.reason) for problem in parse_dump(text)[1]] == [(4, "NSE:INFY appears twice")]


def test_an_empty_dump_has_a_problem() -> None:
    assert parse_dump("")[1][0].line == 1


fields = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "NaN", "1e400", "Infinity", "0.05", "2026-02-30", "NSE", "EQ", '"', "\r"]),
    st.text(max_size=8),
)


@given(st.lists(st.lists(fields, min_size=10, max_size=13), max_size=4), st.sampled_from([HEADER, "", "a,b"]))
def test_no_text_raises_and_each_row_is_kept_or_refused(rows: list[list[str]], header: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    found, problems = parse_dump(f"{header}\n{buffer.getvalue()}")
    assert len(found) + len(problems) == (len(rows) if header == HEADER else 1)


@given(st.text(max_size=300))
def test_garbage_never_raises(text: str) -> None:
    parse_dump(text)
    parse_dump(f"{HEADER}\n{text}")


def test_the_registry_finds_by_token_and_key() -> None:
    other = instrument(instrument_token=2, tradingsymbol="TCS", group="pair")
    registry = InstrumentRegistry([instrument(), other])
    assert registry.by_key("NSE:TCS") is other
    assert registry.by_token(2) is other
    assert other.co_location_group == "pair"
    assert (registry.by_key("NSE:X"), registry.by_token(3)) == (None, None)
    assert (len(registry), [one.tradingsymbol for one in registry]) == (2, ["INFY", "TCS"])


@given(st.lists(st.text(max_size=12)))
def test_every_row_of_a_list_is_chosen_or_refused_with_its_line(rows: list[str]) -> None:
    registry = InstrumentRegistry([instrument()])
    chosen, problems = select(list(enumerate(rows, 1)), registry)
    refused = [problem.line for problem in problems]
    assert refused == sorted(set(refused))
    assert len(chosen) + len(problems) == len(rows)


@pytest.mark.parametrize("text", ["INFY", "NSE:", ":INFY", "NSE:INFY:X", "", "NSE INFY"])
def test_a_malformed_line_of_a_list_is_quoted(text: str) -> None:
    _, problems = select([(7, text)], InstrumentRegistry([instrument()]))
    assert [(one.line, one.reason) for one in problems] == [(7, f"{text!r} is not EXCHANGE:TRADINGSYMBOL")]
