"""`alpha-panda charges`: the calculator at the prompt, and what it says to wrong input."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from faust_app.commands.cli import _run
from trading.market.sessions import IST

GOLDEN = ["charges", "--segment", "equity-intraday", "--buy", "100@1500", "--sell", "100@1510"]


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert _run([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_golden_case(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, *GOLDEN, "--date", "2026-08-20")
    assert {name: Decimal(value) for name, value in found["charges"].items()} == {
        "brokerage": 40,
        "stt": Decimal("37.75"),
        "transaction": Decimal("9.2407"),
        "sebi": Decimal("0.3010"),
        "stamp": Decimal("4.50"),
        "gst": Decimal("8.9175"),
        "total": Decimal("100.71"),
    }
    assert (found["gross_pnl"], found["net_pnl"], found["break_even_points"]) == ("1000.00", "899.29", "1.01")
    assert (found["segment"], found["exchange"], found["date"]) == ("equity-intraday", "NSE", "2026-08-20")
    assert [(leg["side"], leg["quantity"], Decimal(leg["stt"])) for leg in found["legs"]] == [
        ("BUY", 100, 0),
        ("SELL", 100, Decimal("37.75")),
    ]
    assert sum(Decimal(leg["total"]) for leg in found["legs"]) == Decimal("100.7092")
    assert found["depository_charge"] is None


def test_a_person_gets_the_breakdown_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(GOLDEN) == 0
    out = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): line for line in out.splitlines() if line.startswith("│")}
    assert list(rows) == ["BUY 100 @ 1500", "SELL 100 @ 1510", "total"]
    assert all(text in rows["total"] for text in ("301000", "37.75", "9.2407", "0.301", "8.9175", "100.71"))
    shown = {line[:11].strip(): line.split()[-1] for line in out.splitlines() if line[:1].isalpha()}
    assert (shown["Gross P&L"], shown["Charges"], shown["Net P&L"]) == ("1,000.00", "100.71", "899.29")
    assert "1.01 points a unit" in out
    assert "Left open" not in out
    assert "demat" not in out


def test_several_orders_and_what_they_leave_open(capsys: pytest.CaptureFixture[str]) -> None:
    orders = ["--buy", "100@1500", "--buy", "50@1490.05", "--sell", "60@1510"]
    found = as_json(capsys, "charges", "--segment", "EQUITY-DELIVERY", "--exchange", "bse", *orders)
    assert (found["closed_quantity"], found["open_quantity"], found["exchange"]) == (60, 90, "BSE")
    assert found["depository_charge"] == "15.34"
    assert _run(["charges", "--segment", "equity-delivery", *orders]) == 0
    out = capsys.readouterr().out
    assert "+90 units" in out
    assert "15.34 rupees for each share and day" in out


def test_a_purchase_alone_has_nothing_to_break_even(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["charges", "--segment", "equity-delivery", "--buy", "1@100"]
    found = as_json(capsys, *arguments)
    assert (found["break_even_points"], found["depository_charge"]) == (None, None)
    assert _run(arguments) == 0
    assert "Net P&L" not in capsys.readouterr().out


def test_the_date_chooses_the_rates_and_is_today_without(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["charges", "--segment", "futures", "--exchange", "NFO", "--sell", "65@24000"]
    stt = [
        Decimal(as_json(capsys, *arguments, "--date", day)["charges"]["stt"])
        for day in ("2024-09-30", "2024-10-01", "2026-04-01")
    ]
    assert stt == [Decimal("195"), Decimal("312"), Decimal("780")]
    before = datetime.now(IST).date()
    assert before <= date.fromisoformat(as_json(capsys, *arguments)["date"]) <= datetime.now(IST).date()


def test_a_contract_note_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, *GOLDEN, "--contract-note")
    assert (found["charges"]["stt"], found["charges"]["stamp"], found["charges"]["total"]) == ("38", "5", "101.46")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--segment", "stocks", "--buy", "1@1"], "There is no segment 'stocks'; segments: equity-intraday"),
        (["--segment", "futures"], "Name at least one order"),
        (["--buy", "1@1"], "Missing option '--segment'"),
        (["--segment", "futures", "--buy", "1x1"], "'1x1' is not QUANTITY@PRICE"),
        (["--segment", "futures", "--buy", "1"], "'1' is not QUANTITY@PRICE"),
        (["--segment", "futures", "--sell", "1.5@1"], "'1.5@1' is not QUANTITY@PRICE"),
        (["--segment", "futures", "--sell", "-1@1"], "'-1@1' is not QUANTITY@PRICE"),
        (["--segment", "futures", "--sell", "1@NaN"], "'1@NaN' is not QUANTITY@PRICE"),
        (["--segment", "futures", "--sell", "1@1.00001"], "'1@1.00001' is not QUANTITY@PRICE"),
        (["--segment", "futures", "--sell", "0@1"], "'0@1': quantity and price must be above 0"),
        (["--segment", "futures", "--sell", "1@0"], "'1@0': quantity and price must be above 0"),
        (["--segment", "futures", "--sell", "1000000001@1"], "'1000000001@1': quantity and price"),
        (["--segment", "futures", "--sell", "1@1000000000.01"], "'1@1000000000.01': quantity and price"),
        (["--segment", "futures", "--sell", "1@1", "--date", "tomorrow"], "'tomorrow' is not a date"),
        (["--segment", "futures", "--sell", "1@1", "--exchange", "MCX"], "There are no charges for 'MCX'"),
        (["--segment", "equity-delivery", "--sell", "1@1", "--exchange", "NFO"], "Shares trade on NSE or BSE"),
    ],
)
def test_wrong_input_gets_one_sentence_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["charges", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith(said)


@pytest.mark.parametrize("order", ["1000000000@1000000000", "1@0.0001"])
def test_the_largest_and_smallest_orders_are_calculated(order: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert Decimal(as_json(capsys, "charges", "--segment", "options", "--sell", order)["charges"]["total"]) > 20
