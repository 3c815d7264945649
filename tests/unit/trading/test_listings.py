"""What a day's dump makes of the stored instruments: what is reported, what is kept, what is refused whole."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.dumps import DAY, HEADER, dump_text, future, row, stock
from trading.market.instrument_dump import Dump, parse_dump
from trading.market.instrument_findings import Finding, FindingCode, count_by_code
from trading.market.listings import MOST_REFUSED_PERCENT, Listings, Update, doubts, objection, update

NEXT = DAY + timedelta(days=1)
FREEZE = {"NIFTY": 1800, "INFY": 2000}
EXPECTED = (FindingCode.OLD_DERIVATIVES, FindingCode.FREEZE_QUANTITY_UNKNOWN)  # of most dumps here


def load(*rows: str, stored: Listings | None = None, day: date = DAY) -> Update:
    """The update a dump of these lines makes."""
    return update(stored or {}, parse_dump(dump_text(*rows), day), FREEZE)


def after(first: list[str], *second: str) -> Update:
    """What the next day's dump makes of the day's."""
    return load(*second, stored=load(*first).listings, day=NEXT)


def notices(made: Update) -> list[Finding]:
    return [one for one in made.findings if one.code not in EXPECTED]


def reported(made: Update) -> list[tuple[int, str, str]]:
    return [(one.line, one.key, one.code.value) for one in notices(made)]


def listed(made: Update) -> set[str]:
    return {key for key, one in made.listings.items() if one.is_listed}


def test_a_first_dump_is_new_and_needs_no_comment() -> None:
    made = load(row(), stock("TCS", 11_536))
    assert (made.added, made.changed, made.vanished, notices(made)) == (2, 0, 0, [])
    assert {one.listed_on for one in made.written} == {DAY}


def test_the_same_dump_again_writes_nothing_and_the_next_days_only_the_day() -> None:
    rows = [row(), stock("TCS", 11_536), future("NIFTY", 7)]
    first = load(*rows)
    again = load(*rows, stored=first.listings)
    assert (again.written, again.added, again.changed) == ((), 0, 0)
    later = load(*rows, stored=first.listings, day=NEXT)
    assert (later.added, later.changed, notices(later)) == (0, 0, [])
    assert {one.listed_on for one in later.written} == {NEXT}


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"lot_size": "5"}, "lot_size_changed", "lot_size of NSE:INFY is 5, was 1"),
        ({"tick_size": "10"}, "tick_size_changed", "tick_size of NSE:INFY is 10, was 0.05"),
        ({"exchange_token": "1595", "instrument_token": "408321"}, "token_changed", "is 408321, was 408065"),
    ],
)
def test_a_change_is_taken_with_a_notice(changes: dict[str, str], code: str, reason: str) -> None:
    made = after([row()], row(**changes))
    (finding,) = notices(made)
    assert (finding.line, finding.key, finding.code.value, finding.is_refusal) == (2, "NSE:INFY", code, False)
    assert reason in finding.reason
    assert made.changed == 1
    assert made.listings["NSE:INFY"] != load(row()).listings["NSE:INFY"]


def test_a_size_written_otherwise_is_no_change() -> None:
    made = after([row(tick_size="0.05")], row(tick_size="0.050"))
    assert (made.changed, notices(made)) == (0, [])


def test_a_contract_that_is_another_than_before_is_noticed() -> None:
    made = after([future("NIFTY", 7)], future("NIFTY", 7, expiry="2026-08-27"))
    assert reported(made) == [(2, "NFO:NIFTY26AUGFUT", "contract_changed")]


def test_a_token_of_another_is_noticed() -> None:
    made = after([stock("OLD", 5), row()], stock("NEW", 5), row())
    assert reported(made) == [(2, "NSE:NEW", "token_reused"), (0, "NSE:OLD", "vanished")]
    assert notices(made)[0].reason == f"Token {5 * 256 + 1} of NSE:NEW was NSE:OLD's"
    once_more = load(stock("NEW", 5), row(), stored=made.listings, day=NEXT + timedelta(days=1))
    assert notices(once_more) == []


def test_a_token_that_comes_back_from_another_is_noticed() -> None:
    made = after([stock("OLD", 5), row()], stock("NEW", 5), row())
    back = load(stock("OLD", 5), row(), stored=made.listings, day=NEXT + timedelta(days=1))
    assert (2, "NSE:OLD", "token_reused") in reported(back)


def test_a_token_of_an_expired_contract_is_noticed_when_it_comes_back_as_another() -> None:
    gone = after([future("NIFTY", 7, expiry=DAY.isoformat()), future("INFY", 9)], future("INFY", 9))
    made = load(future("INFY", 9), future("TCS", 7), stored=gone.listings, day=NEXT)
    assert reported(made) == [(3, "NFO:TCS26AUGFUT", "token_reused")]


def test_two_stocks_may_swap_their_tokens() -> None:
    made = after([stock("A", 5), stock("B", 6)], stock("A", 6), stock("B", 5))
    assert sorted(code for _, _, code in reported(made)) == ["token_changed"] * 2 + ["token_reused"] * 2


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        ("SUZLON", "SUZLON-BE", "NSE:SUZLON is now NSE:SUZLON-BE (series BE): trade to trade, no intraday orders"),
        ("SUZLON-BE", "SUZLON", "NSE:SUZLON-BE is now NSE:SUZLON (series EQ)"),
        ("BAJAJ-AUTO", "BAJAJ-AUTO-BZ", "(series BZ): trade to trade, no intraday orders"),
        ("SMALL-SM", "SMALL-ST", "(series ST)"),
    ],
)
def test_a_move_to_another_series_is_noticed_and_the_old_one_marked(before: str, now: str, text: str) -> None:
    made = after([stock(before, 5), row()], row(), stock(now, 6))
    assert reported(made) == [(3, f"NSE:{now}", "series_changed")]
    assert notices(made)[0].reason.endswith(text)
    assert listed(made) == {"NSE:INFY", f"NSE:{now}"}
    assert made.listings[f"NSE:{before}"].vanished_on == NEXT


def test_another_series_beside_the_old_one_is_no_move() -> None:
    assert notices(after([stock("SUZLON", 5)], stock("SUZLON", 5), stock("SUZLON-BL", 6))) == []


def test_a_series_that_goes_beside_another_is_no_move() -> None:
    made = after([stock("SUZLON", 5), stock("SUZLON-BL", 6)], stock("SUZLON", 5))
    assert reported(made) == [(0, "NSE:SUZLON-BL", "vanished")]


def test_a_move_back_is_a_move() -> None:
    made = after([stock("SUZLON", 5), row()], stock("SUZLON-BE", 6), row())
    back = load(stock("SUZLON", 5), row(), stored=made.listings, day=NEXT + timedelta(days=1))
    assert reported(back) == [(2, "NSE:SUZLON", "returned"), (2, "NSE:SUZLON", "series_changed")]


def test_what_is_gone_is_kept_and_marked() -> None:
    made = after([row(), stock("TCS", 5)], row())
    assert (made.vanished, made.expired) == (1, 0)
    assert reported(made) == [(0, "NSE:TCS", "vanished")]
    assert (made.listings["NSE:TCS"].listed_on, made.listings["NSE:TCS"].vanished_on) == (DAY, NEXT)
    again = load(row(), stored=made.listings, day=NEXT + timedelta(days=1))
    assert notices(again) == []
    assert again.listings["NSE:TCS"].vanished_on == NEXT


def test_a_refused_line_is_named_as_the_reason_why_it_is_gone() -> None:
    made = after([row(), stock("TCS", 5)], row(), stock("TCS", 5, tick_size="0"))
    assert reported(made) == [(3, "NSE:TCS", "no_tick_size"), (0, "NSE:TCS", "vanished")]
    assert notices(made)[1].reason.endswith("is no longer: its line is refused")


def test_what_comes_back_is_noticed() -> None:
    gone = after([row(), stock("TCS", 5)], row())
    back = load(row(), stock("TCS", 5), stored=gone.listings, day=NEXT + timedelta(days=1))
    assert reported(back) == [(3, "NSE:TCS", "returned")]
    assert "NSE:TCS" in listed(back)


def test_a_contract_past_its_expiry_is_no_news_when_it_goes() -> None:
    made = after([future("NIFTY", 7, expiry=DAY.isoformat()), future("INFY", 9)], future("INFY", 9))
    assert (made.vanished, made.expired, notices(made)) == (1, 1, [])
    assert listed(made) == {"NFO:INFY26AUGFUT"}


def test_a_contract_that_goes_on_its_last_day_is_news() -> None:
    made = after([future("NIFTY", 7, expiry=NEXT.isoformat()), future("INFY", 9)], future("INFY", 9))
    assert reported(made) == [(0, "NFO:NIFTY26AUGFUT", "vanished")]


def test_a_dump_says_nothing_of_other_exchanges() -> None:
    made = after([row(), stock("INFY", 500_209, "BSE")], row())
    assert listed(made) == {"NSE:INFY", "BSE:INFY"}
    assert (made.vanished, notices(made)) == (0, [])


def test_a_stock_with_a_live_contract_has_derivatives() -> None:
    lines = [row(), stock("INFY", 500_209, "BSE"), stock("TCS", 5), stock("INFY-BE", 6), future("INFY", 9)]
    made = load(*lines)
    assert {key for key, one in made.listings.items() if one.instrument.has_derivatives} == {"NSE:INFY", "BSE:INFY"}
    assert EXPECTED[0] not in {one.code for one in made.findings}


@pytest.mark.parametrize("exchange", ["NFO", "BFO"])
def test_contracts_of_the_same_day_may_come_in_a_dump_of_their_own(exchange: str) -> None:
    alone = load(row())
    assert [one.code for one in alone.findings] == [FindingCode.OLD_DERIVATIVES]
    assert not alone.listings["NSE:INFY"].instrument.has_derivatives
    both = load(future("INFY", 9, exchange=exchange), stored=alone.listings)
    assert both.listings["NSE:INFY"].instrument.has_derivatives
    assert {one.instrument.key for one in both.written} == {"NSE:INFY", f"{exchange}:INFY26AUGFUT"}
    assert FindingCode.OLD_DERIVATIVES not in {one.code for one in both.findings}
    later = load(row(), stored=both.listings, day=NEXT)
    assert later.listings["NSE:INFY"].instrument.has_derivatives
    (finding,) = later.findings
    assert (finding.code, f"of {DAY}, not of {NEXT}" in finding.reason) == (FindingCode.OLD_DERIVATIVES, True)


@pytest.mark.parametrize("last", [DAY, DAY - timedelta(days=1)])
def test_derivatives_end_with_the_last_contract(last: date) -> None:
    stored = load(row(), future("INFY", 9, expiry=last.isoformat()), day=last).listings
    made = load(row(), stored=stored, day=DAY)
    assert made.listings["NSE:INFY"].instrument.has_derivatives is (last == DAY)


def test_an_index_has_no_derivatives_of_its_own() -> None:
    index = stock("SENSEX", 1, "BSE", instrument_token="265", segment="INDICES")
    made = load(index, future("SENSEX", 9, exchange="BFO"))
    assert not made.listings["BSE:SENSEX"].instrument.has_derivatives


def test_contracts_elsewhere_do_not_count() -> None:
    made = load(stock("GOLD", 5), future("GOLD", 9, exchange="MCX"))
    assert not made.listings["NSE:GOLD"].instrument.has_derivatives


def test_contracts_get_the_freeze_quantity_of_their_underlying_and_stocks_none() -> None:
    made = load(row(), future("NIFTY", 7), future("TCS", 8), future("INFY", 9), future("INFY", 9, exchange="MCX"))
    freezes = {key: one.instrument.freeze_quantity for key, one in made.listings.items()}
    assert freezes == {"NSE:INFY": None, "NFO:NIFTY26AUGFUT": 1800, "NFO:TCS26AUGFUT": None, "NFO:INFY26AUGFUT": 2000,
                       "MCX:INFY26AUGFUT": None}  # fmt: skip
    (finding,) = [one for one in made.findings if one.code is FindingCode.FREEZE_QUANTITY_UNKNOWN]
    assert finding.reason == f"No freeze quantity is configured for 1 underlyings on {DAY}: TCS"


@pytest.mark.parametrize(("lot", "freeze"), [("1800", 1800), ("1801", None)])
def test_a_freeze_quantity_below_one_lot_is_left_out_and_reported(lot: str, freeze: int | None) -> None:
    made = load(future("NIFTY", 7, lot_size=lot))
    assert made.listings["NFO:NIFTY26AUGFUT"].instrument.freeze_quantity == freeze
    assert [one.code.value for one in notices(made)] == (["freeze_below_lot"] if freeze is None else [])


def test_an_operators_group_survives_the_next_dump() -> None:
    stored = load(row()).listings
    grouped = replace(stored["NSE:INFY"], instrument=replace(stored["NSE:INFY"].instrument, group="pair"))
    made = load(row(lot_size="2"), stored={"NSE:INFY": grouped}, day=NEXT)
    assert (made.listings["NSE:INFY"].instrument.group, made.listings["NSE:INFY"].instrument.lot_size) == ("pair", 2)


def dump_with(good: int, bad: int) -> Dump:
    return parse_dump(dump_text(*[stock(f"S{number}", number + 1) for number in range(good)], *["x"] * bad), DAY)


def test_a_dump_with_more_than_a_tenth_refused_is_refused_whole() -> None:
    assert MOST_REFUSED_PERCENT == 10
    assert objection(dump_with(9, 1)) is None
    refusal = objection(dump_with(89, 11))
    assert refusal == (
        "11 of 100 lines are refused, more than 10 % (malformed_row 11; first, line 91: Expected 12 columns, found 1)"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{HEADER}\n", "It holds no instrument"),
        ("a,b\n", "Expected the columns instrument_token, exchange_token"),
        (f"{HEADER}\nx\n", "1 of 1 lines are refused"),
    ],
)
def test_a_dump_without_instruments_is_refused_whole(text: str, sentence: str) -> None:
    assert sentence in (objection(parse_dump(text, DAY)) or "")


def doubtful(stored: Listings, *rows: str, day: date = DAY, today: date = DAY) -> list[str]:
    dump = parse_dump(dump_text(*rows), day)
    return [one.code.value for one in doubts(stored, dump, today, update(stored, dump, FREEZE))]


def test_a_dump_older_than_today_or_than_the_one_loaded_is_doubtful() -> None:
    stored = load(row()).listings
    assert doubtful({}, row()) == []
    assert doubtful(stored, row()) == []
    assert doubtful({}, row(), today=NEXT) == ["old_dump"]
    assert doubtful(stored, row(), day=DAY - timedelta(days=1), today=DAY - timedelta(days=1)) == ["old_dump"]
    other = load(stock("INFY", 500_209, "BSE"), day=NEXT).listings
    assert doubtful(other, row()) == []


@pytest.mark.parametrize(("kept", "codes"), [(5, []), (4, ["incomplete_dump"])])
def test_a_dump_that_lacks_more_than_half_is_doubtful(kept: int, codes: list[str]) -> None:
    rows = [stock(f"S{number}", number + 1) for number in range(10)]
    expired = [future("NIFTY", number + 1, expiry=DAY.isoformat(), tradingsymbol=f"N{number}") for number in range(9)]
    stored = load(*rows, *expired, future("INFY", 99)).listings
    assert doubtful(stored, *rows[:kept], future("INFY", 99), day=NEXT, today=NEXT) == codes


symbols = st.lists(st.sampled_from("ABCDEF"), unique=True, max_size=6)
numbers = st.permutations(range(1, 7))


@given(st.lists(st.tuples(symbols, numbers, st.integers(1, 3)), min_size=1, max_size=5))
def test_days_of_dumps_keep_every_instrument_once_and_name_what_changed(
    days: list[tuple[list[str], list[int], int]],
) -> None:
    """Whatever comes and goes: listed is what the dump has, no token twice, every difference is reported."""
    stored: Listings = {}
    for number, (names, tokens, lot) in enumerate(days):
        day = DAY + timedelta(days=number)
        rows = [stock(name, token, lot_size=str(lot)) for name, token in zip(names, tokens, strict=False)]
        made = load(*rows, stock("ALWAYS", 99), stored=stored, day=day)
        assert listed(made) == {f"NSE:{name}" for name in [*names, "ALWAYS"]}
        assert made.listings.keys() >= stored.keys()
        held = [one.instrument.instrument_token for one in made.listings.values() if one.is_listed]
        assert len(held) == len(set(held))
        told = {one.key for one in made.findings}
        for key, one in stored.items():
            now = made.listings[key]
            assert key in told or one.is_listed is now.is_listed
            assert key in told or one.instrument == now.instrument
        assert all(stored.get(one.instrument.key) != one for one in made.written)
        assert {**stored, **{one.instrument.key: one for one in made.written}} == made.listings
        stored = made.listings


def test_counts_put_refusals_first() -> None:
    findings = [Finding(0, "", code, "") for code in (FindingCode.VANISHED, FindingCode.EXPIRED, FindingCode.VANISHED)]
    assert list(count_by_code(findings).items()) == [(FindingCode.EXPIRED, 1), (FindingCode.VANISHED, 2)]


def test_findings_come_by_line_and_those_of_no_line_last() -> None:
    made = after([row(), stock("TCS", 5)], "x", row(lot_size="2"))
    assert [one.line for one in made.findings] == [2, 3, 0, 0]


def test_prices_of_the_stored_and_the_read_compare_by_value() -> None:
    assert load(row(strike="0.0")).listings["NSE:INFY"].instrument.strike == Decimal(0)
