"""`alpha-panda calendar`, without a running stack and with loaded instruments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from faust_app.commands import calendar
from faust_app.commands.cli import _run
from faust_app.runtime import instrument_load
from faust_app.runtime.errors import TransientError
from tests.factories import instrument
from tests.zones import ZONES, process_zone
from trading.market.instruments import Instrument
from trading.market.listings import Listing
from trading.market.sessions import IST


@pytest.fixture(scope="module", autouse=True, params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's time zone."""
    with process_zone(request.param):
        yield


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Instrument]:
    """Loaded instruments by key, to be filled; while it is empty the database is away."""
    instruments: dict[str, Instrument] = {}

    async def find(_settings: object, key: str) -> list[Listing]:
        if not instruments:
            raise TransientError("PostgreSQL is away")
        return [Listing(one, date(2026, 11, 20)) for one in instruments.values() if one.key == key]

    monkeypatch.setattr(instrument_load, "find_listings", find)
    return instruments


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The answer as JSON."""
    assert _run(["calendar", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The answer for a person."""
    assert _run(["calendar", *arguments]) == 0
    return capsys.readouterr().out


def clock_of(answer: Any, market: str, phase: str) -> list[tuple[str, str]]:
    """(from, until) of a phase in a market."""
    (found,) = [one for one in answer["markets"] if one["market"] == market]
    return [(row["from"], row["until"]) for row in found["phases"] if row["phase"] == phase]


def test_a_regular_day_has_every_market(capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(capsys, "2026-11-20")
    assert (answer["weekday"], answer["kind"], answer["name"]) == ("Friday", "regular", None)
    assert (answer["previous_trading_day"], answer["next_trading_day"]) == ("2026-11-19", "2026-11-23")
    assert (answer["is_trading_day"], answer["is_confirmed"], answer["live_refusal"]) == (True, True, None)
    assert clock_of(answer, "cash", "continuous") == [("09:15", "15:30")]
    assert clock_of(answer, "cash_with_derivatives", "continuous") == [("09:15", "15:15")]
    assert clock_of(answer, "cash_with_derivatives", "closing_auction")[-1] == ("15:30", "15:35")
    assert clock_of(answer, "options", "continuous") == [("09:15", "15:40")]
    flat = {one["market"]: one["square_off"] for one in answer["markets"]}
    assert (flat["cash"], flat["cash_with_derivatives"], flat["options"]) == ("15:20", "15:05", "15:25")


def test_every_stage_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for one in told(capsys, "2026-12-08")["markets"] for row in one["phases"]]
    assert {row["stage"] for row in rows} == set(calendar.ORDERS)
    assert (rows[0]["from"], rows[-1]["until"]) == ("00:00", "24:00")


@pytest.mark.parametrize(
    ("day", "line"),
    [
        ("2026-11-24", "Tuesday 2026-11-24: closed, Guru Nanak Jayanti"),
        ("2026-11-21", "Saturday 2026-11-21: closed, weekend"),
        ("2026-02-01", "Sunday 2026-02-01: special session, Union Budget"),
        ("2025-10-21", "Tuesday 2025-10-21: special session, Muhurat (Diwali)"),
        ("2026-11-20", "Friday 2026-11-20: a regular trading day"),
    ],
)
def test_the_first_line_says_why_a_day_trades_or_not(capsys: pytest.CaptureFixture[str], day: str, line: str) -> None:
    lines = said(capsys, day).splitlines()
    assert lines[0] == line
    assert lines[1].startswith("Trading days before and after: 20")
    assert any("continuous" in row for row in lines) is ("closed" not in line)


def test_a_day_that_is_not_confirmed_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "2026-12-08")
    assert "Live trading is refused: 2026-12-08 is not confirmed for live trading: " in text
    assert "Note: The end of matching at 15:45 is assumed" in text
    assert "Live trading is refused" not in said(capsys, "2026-11-20")


def test_without_a_date_it_is_today_in_ist(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Late:
            assert tz is IST
            return cls(2026, 11, 23, 0, 10, tzinfo=IST)

    monkeypatch.setattr(calendar, "datetime", Late)
    assert told(capsys)["date"] == "2026-11-23"


@pytest.mark.parametrize(
    ("key", "market", "judged"),
    [
        (
            "NSE:RELIANCE",
            "cash_with_derivatives",
            "taken for a stock with derivatives, whose continuous trading ends first",
        ),
        ("NFO:NIFTY26DECFUT", "futures", "taken for a future that does not expire on this day"),
        ("BFO:SENSEX26D1080000CE", "options", "taken for an option that does not expire on this day"),
    ],
)
def test_without_loaded_instruments_the_name_decides(
    capsys: pytest.CaptureFixture[str], loaded: dict[str, Instrument], key: str, market: str, judged: str
) -> None:
    answer = told(capsys, "2026-12-08", "--instrument", key)
    assert [one["market"] for one in answer["markets"]] == [market]
    assert answer["instrument"] == {"key": key, "judged": f"{judged} (no loaded instruments at hand)"}
    assert f"{key}: {judged}" in said(capsys, "2026-12-08", "--instrument", key)


def test_loaded_instruments_decide(capsys: pytest.CaptureFixture[str], loaded: dict[str, Instrument]) -> None:
    expiring = {"exchange": "NFO", "segment": "NFO-OPT", "name": "NIFTY", "expiry": date(2026, 12, 8)}
    for one in (instrument(), instrument(tradingsymbol="NIFTY26D0824000CE", **expiring)):
        loaded[one.key] = one
    plain = told(capsys, "2026-12-08", "--instrument", "NSE:INFY")
    assert [one["market"] for one in plain["markets"]] == ["cash"]
    assert plain["instrument"]["judged"] == "as the loaded instruments have it"
    last_day = told(capsys, "2026-12-08", "--instrument", "NFO:NIFTY26D0824000CE")
    assert [one["market"] for one in last_day["markets"]] == ["expiring_index_options"]
    assert last_day["instrument"]["judged"] == "as the loaded instruments have it"
    after = told(capsys, "2026-12-09", "--instrument", "NFO:NIFTY26D0824000CE")
    assert [one["market"] for one in after["markets"]] == ["options"]
    assert after["instrument"]["judged"].endswith("; it expired on 2026-12-08")
    unknown = told(capsys, "2026-12-08", "--instrument", "NSE:TCS")
    assert unknown["instrument"]["judged"].endswith("(not among the loaded instruments)")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["2026-13-01"], "'2026-13-01' is not a date like 2026-11-20"),
        (["tomorrow"], "'tomorrow' is not a date like 2026-11-20"),
        ([""], "'' is not a date like 2026-11-20"),
        (["1969-12-31"], "1969-12-31 is not between the years 1970 and 2199"),
        (["2200-01-01"], "2200-01-01 is not between the years 1970 and 2199"),
        (["--instrument", "INFY"], "'INFY' is not EXCHANGE:TRADINGSYMBOL, for example NSE:INFY"),
        (["--instrument", "MCX:GOLD26DECFUT"], "The calendar knows NSE, BSE, NFO, BFO; MCX is not in it"),
        (["--instrument", "NFO:NIFTY"], "NFO:NIFTY is no derivative: the name of one ends in FUT, CE or PE"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(
    capsys: pytest.CaptureFixture[str], loaded: dict[str, Instrument], arguments: list[str], sentence: str
) -> None:
    assert _run(["calendar", *arguments]) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


@pytest.mark.parametrize("day", ["1970-01-01", "2199-12-31"])
def test_the_first_and_the_last_day_are_answered(capsys: pytest.CaptureFixture[str], day: str) -> None:
    assert told(capsys, day)["is_trading_day"] is True
