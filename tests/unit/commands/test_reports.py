"""`alpha-panda positions|pnl`: what they show of the latest snapshots."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from faust_app.commands import reports
from faust_app.commands.cli import _run

POSITION = {
    "strategy": "momentum",
    "instrument": "NFO:RELIANCEFUT",
    "product": "NRML",
    "quantity": 500,
    "average_price": "1400.0000",
    "mark": "1410",
    "realised": "0",
    "unrealised": "5000",
    "overnight_quantity": 500,
    "day_pnl": "-250.50",
}
BEFORE = {**{name: value for name, value in POSITION.items() if name != "day_pnl"}, "strategy": "rsi"}
ALARM = {
    "kind": "delivery_near",
    **{name: POSITION[name] for name in ("strategy", "instrument", "product", "quantity")},
}
SNAPSHOT: dict[str, Any] = {
    "account": "paper:main",
    "occurred_at": "2026-08-20",
    "cash": Decimal(1_000_000),
    "realised": Decimal(0),
    "unrealised": Decimal(10_000),
    "charges": Decimal("20.5"),
    "equity": Decimal("1009979.5"),
    "day_pnl": Decimal("-271"),
    "drawdown": Decimal("1500.25"),
    "margin_used": Decimal(282_000),
    "fills": 2,
    "positions": [POSITION, BEFORE],
    "alarms": [ALARM],
}


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def latest(*_: object) -> list[dict[str, Any]]:
        return [SNAPSHOT]

    monkeypatch.setattr(reports, "latest_snapshots", latest)


def test_positions_have_the_days_gain_and_their_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["positions", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["account"], first["alarm"], first["overnight_quantity"]) == ("paper:main", "delivery_near", 500)
    assert Decimal(first["day_pnl"]) == Decimal("-250.5")
    assert (second["strategy"], second["alarm"], Decimal(second["day_pnl"])) == ("rsi", None, 0)  # stored before
    assert _run(["positions"]) == 0
    out = capsys.readouterr().out
    assert "delivery_near" in out
    assert "-250.5" in out


def test_pnl_has_the_day_the_drawdown_and_how_many_alarms(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["pnl"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "paper:main" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[-5:] == ["-271", "1500.25", "282000", "2", "1"]
    assert _run(["pnl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["alarms"] == [ALARM]
