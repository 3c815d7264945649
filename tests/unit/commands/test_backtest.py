"""`alpha-panda backtest`: what it prints, that it repeats itself to the byte, and what it says to wrong input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from faust_app.commands.cli import _run
from faust_app.runtime.settings import PROJECT
from models.messages.ticks import TickFrame
from recordings.columns import rows_of
from recordings.store import TickStore
from tests.recorded import INSTRUMENTS, KEYS, frame
from tests.shared_data import shared_data
from tests.strategy_runs import OPEN
from trading.market.sessions import IST, trading_day
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar

SEED = 5
MINUTES = 60
DAY = 86_400
RUN = ["backtest", "--strategy", "crossover", "--set", "fast=2", "--set", "slow=5"]


def bars(symbol: str, day: int = 0) -> list[Bar]:
    """Minutes of a walk."""
    rng, price, found = Random(f"{SEED} {symbol} {day}"), 15_000_000, []
    for minute in range(MINUTES):
        four = [price := price + rng.randint(-40, 40) * 500 for _ in range(4)]
        found.append(Bar(OPEN + DAY * day + 60 * minute, four[0], max(four), min(four), four[3], rng.randint(0, 900)))
    return found


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two symbols, Thursday and Friday."""
    folder = tmp_path / "bars"
    folder.mkdir()
    for symbol in ("AAA", "BBB"):
        lines = ["Code,Date,Open,High,Low,Close,Volume"]
        for bar in (bar for day in (0, 1) for bar in bars(symbol, day)):
            prices = [Decimal(units) / 10_000 for units in (bar.open_units, bar.high_units, bar.low_units)]
            cells = ",".join(f"{price:.2f}" for price in [*prices, Decimal(bar.close_units) / 10_000])
            lines.append(f"{symbol},{datetime.fromtimestamp(bar.start, IST):%Y-%m-%d %H:%M:%S},{cells},{bar.volume}")
        (folder / f"{symbol}.csv").write_text("\n".join(lines))
    return folder


def out_of(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert _run([str(one) for one in arguments]) == code
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    return json.loads(out_of(capsys, *arguments, "--json"))


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    found = as_json(capsys, *RUN, "--data", recording)
    out = out_of(capsys, *RUN, "--data", recording)
    rows = dict(
        (cell.strip() for cell in line.split("│")[1:3]) for line in out.splitlines() if line.startswith("│")
    )  # fmt: skip
    assert rows["days"] == "2"
    assert int(rows["ticks"]) == found["ticks"] == 2 * 2 * MINUTES * 4
    assert int(rows["fills"]) == len(found["fills"]) > 10
    assert int(rows["trades"]) == len(found["trades"]) > 5
    assert Decimal(rows["profit"]) == Decimal(found["profit"])
    assert Decimal(rows["equity"]) == Decimal(found["account"]["equity"]) == 1_000_000 + Decimal(found["profit"])
    assert rows["nothing_to_do"] == str(found["denials"]["nothing_to_do"])


@pytest.mark.parametrize("seed", ["1", "random"])
def test_another_process_with_another_hash_seed_gives_the_same_bytes(
    capsys: pytest.CaptureFixture[str], recording: Path, seed: str
) -> None:
    arguments = [*RUN, "--data", str(recording), "--json"]
    here = out_of(capsys, *arguments)
    there = subprocess.run(
        [sys.executable, "-m", "faust_app.commands.cli", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert there.stdout == here
    assert there.stderr == ""


def test_days_instruments_cash_and_limits_can_be_chosen(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    second = str(trading_day(OPEN + DAY))
    found = as_json(
        capsys, *RUN, "--data", recording, "--from", second, "--to", second, "--instrument", "NSE:BBB",
        "--cash", "250000.50", "--limit", "max_daily_trades=2",
    )  # fmt: skip
    assert found["ticks"] == 2 * MINUTES * 4
    assert {fill["instrument"] for fill in found["fills"]} == {"NSE:BBB"}
    assert {trading_day(fill["at"]) for fill in found["fills"]} == {trading_day(OPEN + DAY)}
    assert found["account"]["start_cash"] == "250000.50"
    assert found["denials"]["daily_trades"] > 0
    assert found["orders"] == 2


def test_a_sweep_gives_what_single_runs_give(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    base = ["backtest", "--strategy", "crossover", "--data", recording]
    rows = as_json(capsys, *base, "--sweep", "fast=2,3", "--sweep", "slow=5,8")
    assert [(row["fast"], row["slow"]) for row in rows] == [(2, 5), (2, 8), (3, 5), (3, 8)]
    for row in rows:
        one = as_json(capsys, *base, "--set", f"fast={row['fast']}", "--set", f"slow={row['slow']}")
        assert row["profit"] == one["profit"]
        assert (row["trades"], row["fills"], row["signals"]) == (len(one["trades"]), len(one["fills"]), one["signals"])
        assert row["charges"] == one["account"]["charges"]
        assert row["denied"] == sum(one["denials"].values())
    assert len({row["profit"] for row in rows}) > 1


def test_a_pair_is_traded_as_one_group(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    found = as_json(
        capsys, "backtest", "--strategy", "pairs", "--data", recording,
        "--set", "window=10", "--set", "entry_tenths=10", "--set", "exit_tenths=2", "--set", "quantity=100",
        "--limit", "max_order_quantity=99",
    )  # fmt: skip
    assert found["errors"] == {}
    assert found["fills"] == []
    assert found["denials"]["group_incomplete"] > 0
    assert sum(found["denials"].values()) == found["signals"]


def frames(day: int = 0) -> list[TickFrame]:
    """Both symbols' bars as the feed would frame them."""
    found: dict[int, list[Any]] = {}
    for number, symbol in enumerate(("AAA", "BBB")):
        state = DayState(INSTRUMENTS[number].instrument_token, 500)
        for bar in bars(symbol, day):
            for tick in ticks_from_bar(bar, state):
                found.setdefault(tick.exchange_time, []).append(tick)
    return [frame(clock, some) for clock, some in sorted(found.items())]


def test_recorded_ticks_give_what_their_bars_give(
    capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path
) -> None:
    store = TickStore(tmp_path / "ticks")
    store.write_instruments(INSTRUMENTS)
    for day in (0, 1):
        rows = (row for one in frames(day) for row in rows_of(one, 0, KEYS))
        store.write_minute(trading_day(OPEN + day * DAY), "0915", rows, {}, {})
    store.finish(trading_day(OPEN))
    ticks = as_json(capsys, *RUN, "--data", store.folder)
    from_bars = as_json(capsys, *RUN, "--data", recording)
    for name in ("ticks", "signals", "denials", "orders", "profit", "turnover", "sharpe", "drawdown", "equity"):
        assert ticks[name] == from_bars[name]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--strategy", "none"], "There is no strategy 'none'"),
        (["--strategy", "crossover", "--set", "fast"], "'fast' is not NAME=VALUE"),
        (["--strategy", "crossover", "--set", "fast=[1"], "'fast=[1': the value cannot be read"),
        (["--strategy", "crossover", "--set", "fast=30"], "fast (30) must be below slow (20)"),
        (["--strategy", "crossover", "--set", "quick=3"], "quick"),
        (["--strategy", "crossover", "--from", "yesterday"], "--from 'yesterday' is not a date like 2026-11-20"),
        (["--strategy", "crossover", "--from", "2030-01-01"], "holds no day in that range; its days are 2026-08-20"),
        (["--strategy", "crossover", "--cash", "much"], "--cash 'much' is not an amount in rupees above 0"),
        (["--strategy", "crossover", "--cash", "-5"], "--cash '-5' is not an amount in rupees above 0"),
        (["--strategy", "crossover", "--cash", "NaN"], "--cash 'NaN' is not an amount in rupees above 0"),
        (["--strategy", "crossover", "--instrument", "NSE:ZZZ"], "NSE:ZZZ is not in the recording"),
        (["--strategy", "crossover", "--limit", "max_daily_loss=lots"], "max_daily_loss"),
        (["--strategy", "crossover", "--limit", "none=1"], "none"),
        (["--strategy", "crossover", "--sweep", "fast"], "'fast' is not NAME=A,B,C"),
        (["--strategy", "crossover", "--sweep", "fast=1,,2"], "'fast=1,,2' is not NAME=A,B,C"),
        (["--strategy", "crossover", "--sweep", "fast=2,30"], "fast (30) must be below slow (20)"),
        (["--strategy", "crossover", "--sweep", "fast=2,3", "--sweep", "fast=4"], "--sweep has fast twice"),
        (["--strategy", "crossover", "--sweep", "fast=2,3", "--html", "x.html"], "--html is of one run"),
        (["--strategy", "pairs", "--instrument", "NSE:AAA"], "pairs needs exactly two instruments, not 1"),
        ([], "Missing option"),
        (["--strategy", "crossover", "--symbols", "0"], "Invalid value for '--symbols'"),
        (["--strategy", "crossover", "--html", "no/such/folder/x.html"], "no/such/folder is not a folder"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    capsys: pytest.CaptureFixture[str], recording: Path, arguments: list[str], sentence: str
) -> None:
    assert _run(["backtest", "--data", str(recording), *arguments]) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("Code,Date,Open,High,Low,Close,Volume\nAAA,2026-08-20 09:15:00,1,1,1,x,1", "A.csv line 2: 'x' is not a price"),
        ("what,ever,else", "A.csv line 1: expected the columns"),
        ("2022-11-07 09:15:00,18000.05", "holds nothing that can be traded"),
    ],
)
def test_a_recording_that_cannot_be_used_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, sentence: str
) -> None:
    (tmp_path / "A.csv").write_text(content)
    assert _run([*RUN, "--data", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert (captured.err.count("\n"), captured.out) == (1, "")


def test_a_path_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _run([*RUN, "--data", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_recorded_day_of_many_symbols(capsys: pytest.CaptureFixture[str]) -> None:
    path = shared_data("minute_2016_kite")
    found = as_json(
        capsys, "backtest", "--strategy", "crossover", "--data", path, "--symbols", 20, "--to", "2016-08-17"
    )
    assert found["ticks"] == 2 * 20 * 375 * 4
    assert found["errors"] == {}
    assert len(found["trades"]) > 100
    assert Decimal(found["account"]["equity"]) == 1_000_000 + Decimal(found["profit"])
