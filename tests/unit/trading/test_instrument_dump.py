"""The dump is read with suspicion: whatever the text, refused lines are named and nothing is raised."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dumps import DAY, HEADER, dump_text, future, row, stock
from trading.market.instrument_dump import LINES_A_STEP, SEGMENT_NUMBERS, Dump, parse_dump
from trading.market.instrument_findings import MEANINGS, REFUSALS, FindingCode
from trading.market.instruments import Instrument

OPTION = {
    "instrument_token": str(35_000 * 256 + 2),
    "exchange_token": "35000",
    "tradingsymbol": "NIFTY26NOV26000CE",
    "name": "NIFTY",
    "expiry": "2026-11-23",
    "strike": "26000.0",
    "lot_size": "65.0",
    "instrument_type": "CE",
    "segment": "NFO-OPT",
    "exchange": "NFO",
}


def accepted(dump: Dump) -> list[Instrument]:
    """Its instruments in order; nothing was refused."""
    assert dump.findings == ()
    return list(dump.instruments.values())


def one_of(**changes: str) -> Instrument:
    """The instrument of a dump with one line."""
    (found,) = accepted(parse_dump(dump_text(row(**changes)), DAY))
    return found


def refusal(line: str) -> tuple[FindingCode, str]:
    """Why a line after a good one is refused."""
    dump = parse_dump(dump_text(stock("TCS", 11_536), line), DAY)
    assert [one.key for one in dump.instruments.values()] == ["NSE:TCS"]
    (finding,) = dump.findings
    assert (finding.line, finding.is_refusal) == (3, True)
    assert len(finding.reason) < 500
    return finding.code, finding.reason


def test_a_line_becomes_an_instrument_with_all_its_fields() -> None:
    found = one_of(**OPTION)
    assert (found.key, found.co_location_group) == ("NFO:NIFTY26NOV26000CE", "NFO:NIFTY26NOV26000CE")
    assert (found.instrument_token, found.exchange_token) == (35_000 * 256 + 2, 35_000)
    assert (found.segment, found.instrument_type, found.lot_size) == ("NFO-OPT", "CE", 65)
    assert (found.tick_size, found.strike, str(found.expiry)) == (Decimal("0.05"), Decimal(26_000), "2026-11-23")
    assert (found.underlying, found.is_tradable) == ("NIFTY", True)


def test_a_stock_has_a_name_and_no_underlying() -> None:
    found = one_of(name='INFOSYS, "THE" COMPANY')
    assert (found.name, found.underlying) == ('INFOSYS, "THE" COMPANY', "")


@pytest.mark.parametrize("size", ["0", "0.05"])
def test_an_index_is_read_but_not_tradable(size: str) -> None:
    token = {"instrument_token": str(1001 * 256 + 9), "exchange_token": "1001"}
    assert not one_of(**token, tick_size=size, lot_size="1", segment="INDICES").is_tradable


@pytest.mark.parametrize(("exchange", "number"), SEGMENT_NUMBERS.items())
def test_the_token_holds_the_segment_number(exchange: str, number: int) -> None:
    changes = {"segment": exchange, "exchange": "NSE" if exchange == "INDICES" else exchange}
    one_of(**changes, instrument_token=str(1594 * 256 + number))
    code, reason = refusal(row(**changes, instrument_token=str(1594 * 256 + number + 1)))
    assert code is FindingCode.WRONG_TOKEN
    assert f"should be {1594 * 256 + number}" in reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instrument_token": "x"}, "instrument_token x is no whole number"),
        ({"lot_size": "Infinity"}, "lot_size Infinity is no whole number"),
        ({"lot_size": "NaN"}, "lot_size NaN is no whole number"),
        ({"lot_size": "1.5"}, "lot_size 1.5 is no whole number"),
        ({"lot_size": "-1"}, "lot_size -1 is no whole number"),
        ({"lot_size": ""}, "lot_size  is no whole number"),
        ({"lot_size": "1e999999999"}, "lot_size 1e999999999 is no whole number"),
        ({"strike": "NaN"}, "strike NaN is no price"),
        ({"strike": "-1"}, "strike -1 is no price"),
        ({"strike": "1e999999999"}, "strike 1e999999999 is no price"),
        ({"tick_size": "Infinity"}, "tick_size Infinity is no price"),
        ({"tick_size": "NaN"}, "tick_size NaN is no price"),
        ({"tick_size": "-0.05"}, "tick_size -0.05 is no price"),
        ({"tick_size": ""}, "tick_size  is no price"),
        ({"tick_size": "0.00001"}, "tick_size 0.00001 is no price"),
        ({"expiry": "2026-13-01"}, "expiry 2026-13-01 is no date"),
        ({"expiry": "soon" * 100}, "is no date"),
        ({"exchange_token": "-1", "instrument_token": "-255"}, "instrument_token -255 is no whole number"),
        ({"instrument_token": "4_08065"}, "instrument_token 4_08065 is no whole number"),
        ({"instrument_token": "4" * 5000}, "is no whole number"),
        ({"tradingsymbol": ""}, "must be printable, not empty, without a colon"),
        ({"tradingsymbol": "A:B"}, "must be printable, not empty, without a colon"),
        ({"tradingsymbol": "A\tB"}, "must be printable, not empty, without a colon"),
        ({"tradingsymbol": "X" * 300}, "NSE:XXX"),
        ({"name": "X" * 300}, "at most 256 characters"),
        ({"name": "X\0Y"}, "must be text"),
        ({"exchange": "XXX", "segment": "XXX"}, "Unknown exchange XXX"),
        ({"instrument_type": "BOND"}, "Unknown instrument type BOND"),
        ({"segment": "NFO-FUT"}, "Segment NFO-FUT is none of EQ on NSE"),
        ({"segment": ""}, "Segment  is none of EQ on NSE"),
        ({"expiry": "2026-12-31"}, "is no contract"),
        ({"strike": "1"}, "is no contract"),
        ({**OPTION, "name": ""}, "does not name its underlying"),
        ({**OPTION, "expiry": ""}, "has no expiry"),
        ({**OPTION, "strike": "0"}, "has strike 0"),
        ({**OPTION, "instrument_type": "FUT", "segment": "NFO-FUT"}, "has strike 26000"),
        ({**OPTION, "instrument_type": "FUT"}, "Segment NFO-OPT is none of FUT on NFO"),
        ({**OPTION, "segment": "INDICES"}, "Segment INDICES is none of CE on NFO"),
    ],
    ids=str,
)
def test_a_line_that_cannot_be_is_malformed(changes: dict[str, str], reason: str) -> None:
    code, found = refusal(row(**changes))
    assert code is FindingCode.MALFORMED_ROW
    assert reason in found


@pytest.mark.parametrize("changes", [{"exchange_token": "0", "instrument_token": "0"},
                                     {"exchange_token": str(2**24), "instrument_token": str(2**32 + 1)}])  # fmt: skip
def test_a_token_that_no_packet_can_carry_is_wrong(changes: dict[str, str]) -> None:
    assert refusal(row(**changes))[0] is FindingCode.WRONG_TOKEN


def test_the_largest_token_is_accepted() -> None:
    changes = {"exchange_token": str(2**24 - 1), "instrument_token": str((2**24 - 1) * 256 + 1)}
    assert one_of(**changes).instrument_token < 2**32


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"tick_size": "0"}, FindingCode.NO_TICK_SIZE), ({"lot_size": "0"}, FindingCode.NO_LOT_SIZE)],
)
def test_what_can_be_traded_has_a_tick_and_a_lot(changes: dict[str, str], code: FindingCode) -> None:
    assert refusal(row(**changes))[0] is code
    token = {"instrument_token": str(1001 * 256 + 9), "exchange_token": "1001"}
    one_of(**token, **changes, segment="INDICES")


def test_a_finding_holds_nothing_a_log_or_database_refuses() -> None:
    dump = parse_dump(dump_text(row(tradingsymbol="A\0B", lot_size="\n\0")), DAY)
    assert [(one.key, one.reason) for one in dump.findings] == [
        ("NSE:A?B", "Not an instrument: lot_size ?? is no whole number")
    ]


def test_a_finest_tick_is_accepted() -> None:
    assert one_of(tick_size="0.0001").tick_size == Decimal("0.0001")


def test_a_contract_is_live_on_its_last_day_and_expired_on_the_next() -> None:
    text = dump_text(future("NIFTY", 1, expiry=DAY.isoformat()))
    assert len(accepted(parse_dump(text, DAY))) == 1
    after = parse_dump(text, DAY + timedelta(days=1))
    assert after.instruments == {}
    assert [(one.code, one.key) for one in after.findings] == [(FindingCode.EXPIRED, "NFO:NIFTY26AUGFUT")]


def test_the_first_of_two_lines_counts() -> None:
    other = row(tradingsymbol="OTHER", name="second")
    dump = parse_dump(dump_text(row(), row(lot_size="2"), other, row(tradingsymbol="TCS", lot_size="0")), DAY)
    assert [one.lot_size for one in dump.instruments.values()] == [1]
    assert [(one.line, one.code, one.reason) for one in dump.findings] == [
        (3, FindingCode.DUPLICATE_KEY, "NSE:INFY appears twice"),
        (4, FindingCode.DUPLICATE_TOKEN, "Token 408065 of NSE:OTHER belongs to NSE:INFY"),
        (5, FindingCode.NO_LOT_SIZE, "NSE:TCS is tradable, but has lot size 0"),
    ]


def test_a_refused_line_takes_neither_key_nor_token() -> None:
    dump = parse_dump(dump_text(row(lot_size="0"), row()), DAY)
    assert list(dump.instruments) == [3]


@pytest.mark.parametrize("broken", ["x" * 200_000, 'a"b\rc', "\x00", "408065,1594,INFY"])
def test_a_line_that_is_no_csv_is_refused_with_its_line(broken: str) -> None:
    dump = parse_dump(dump_text(row(), broken), DAY)
    assert [one.key for one in dump.instruments.values()] == ["NSE:INFY"]
    assert {(one.line >= 3, one.code) for one in dump.findings} == {(True, FindingCode.MALFORMED_ROW)}


def test_lines_are_counted_over_names_that_span_several() -> None:
    dump = parse_dump(dump_text(row(name="two\nlines"), row()), DAY)
    assert dump.lines == 2
    assert [(one.line, one.code) for one in dump.findings] == [(4, FindingCode.DUPLICATE_KEY)]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", HEADER.replace("strike,", "") + "\n"])
def test_other_columns_are_one_refusal(text: str) -> None:
    dump = parse_dump(text, DAY)
    assert (dump.instruments, dump.lines) == ({}, 0)
    assert [(one.line, one.code) for one in dump.findings] == [(1, FindingCode.WRONG_COLUMNS)]


def test_progress_is_told_in_steps_and_at_the_end() -> None:
    told: list[int] = []
    parse_dump(dump_text(*["x"] * (LINES_A_STEP + 1)), DAY, told.append)
    assert told == [LINES_A_STEP, LINES_A_STEP + 1]


def test_every_code_has_a_meaning_and_refusals_are_known() -> None:
    assert set(MEANINGS) == set(FindingCode)
    assert {code for code in FindingCode if code.is_refusal} == REFUSALS


fields = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1", "NaN", "1e400", "Infinity", "0.05", "2026-02-30", "NSE", "EQ", '"', "\r", "\0"]
    ),
    st.text(max_size=8),
)


@given(st.lists(st.lists(fields, min_size=10, max_size=13), max_size=4), st.sampled_from([HEADER, "", "a,b"]))
def test_no_text_raises_and_each_line_is_kept_or_refused(rows: list[list[str]], header: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    dump = parse_dump(f"{header}\n{buffer.getvalue()}", DAY)
    assert len(dump.instruments) + len(dump.findings) == (len(rows) if header == HEADER else 1)
    assert all(one.is_refusal for one in dump.findings)
    assert all((one.key + one.reason).isprintable() for one in dump.findings)


@given(st.text(max_size=300))
def test_garbage_never_raises(text: str) -> None:
    parse_dump(text, DAY)
    parse_dump(f"{HEADER}\n{text}", DAY)
