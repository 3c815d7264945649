"""`alpha-panda limits`, with the database and Kafka replaced: what is shown, refused, stored and told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from faust_app.commands import limits as command
from faust_app.commands.cli import _run
from faust_app.runtime import limits_store
from faust_app.runtime.reference_data import ReferenceData, StrategyInstance
from models.messages.control import LimitsChanged
from models.messages.envelope import Envelope
from trading.risk.limits import ACCOUNT_LIMITS, BOOK_LIMITS, NAMES


class World:
    """What is stored, by (account, strategy), and what was sent."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.sent: list[Envelope[LimitsChanged]] = []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setenv("ALPHA_PANDA_PROFILE", "base")

    async def load_limits(_: object, account: str) -> dict[str, dict[str, Any]]:
        return {strategy: dict(values) for (owner, strategy), values in found.stored.items() if owner == account}

    async def load_strategies(_: object) -> list[StrategyInstance]:
        return [
            StrategyInstance(
                instance=name, strategy=name, parameters={}, instruments=("*",), brokers=("paper",), enabled=True
            )
            for name in ("momentum", "rsi")
        ]

    async def change(_: object, account: str, strategy: str, wanted: Any, announce: Callable[..., Any]) -> Any:
        before = found.stored.get((account, strategy), {})
        after = limits_store._after(before, dict.fromkeys(before) if wanted is None else wanted)
        changes = limits_store._changes(before, after)
        found.stored[account, strategy] = after
        return announce(changes) if changes else None

    @asynccontextmanager
    async def control_events(_: object) -> AsyncIterator[Any]:
        async def publish(envelope: Any) -> None:
            found.sent.append(envelope)

        yield publish

    monkeypatch.setattr(ReferenceData, "load_limits", load_limits)
    monkeypatch.setattr(ReferenceData, "load_strategies", load_strategies)
    monkeypatch.setattr(limits_store.LimitsStore, "change", change)
    monkeypatch.setattr(command, "control_events", control_events)
    return found


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The answer as JSON."""
    assert _run(["limits", *arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence of a refusal."""
    assert _run(["limits", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def by_name(rows: list[dict[str, Any]], strategy: str | None = None) -> dict[str, dict[str, Any]]:
    return {row["limit"]: row for row in rows if row["strategy"] == strategy}


def test_every_limit_is_shown_with_where_it_comes_from(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stored["paper:main", ""] = {"max_open_orders": "50", "max_daily_loss": "20000"}
    world.stored["paper:main", "rsi"] = {"max_open_orders": "5"}
    rows = by_name(told(capsys, "show"))
    assert list(rows) == list(NAMES)
    assert [rows["max_open_orders"][name] for name in ("account", "value", "source")] == ["paper:main", 50, "account"]
    assert rows["max_open_orders"]["layers"] == {"default": 200, "account": "50"}
    assert (rows["max_daily_trades"]["value"], rows["max_daily_trades"]["source"]) == (5000, "default")
    assert {row["source"] for row in rows.values()} == {"default", "account"}
    assert all(row["meaning"] for row in rows.values())


def test_a_strategys_limits_are_shown_whole_when_asked_for(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stored["paper:main", ""] = {"max_open_orders": "50", "max_daily_loss": "20000"}
    world.stored["paper:main", "rsi"] = {"max_open_orders": "5"}
    assert list(by_name(told(capsys, "show"), "rsi")) == ["max_open_orders"]
    rows = by_name(told(capsys, "show", "--strategy", "rsi"), "rsi")
    assert list(rows) == list(NAMES)
    sources = {name: rows[name]["source"] for name in ("max_open_orders", "max_daily_loss", "max_daily_trades")}
    assert sources == {"max_open_orders": "strategy", "max_daily_loss": "account", "max_daily_trades": "default"}
    assert (rows["max_open_orders"]["value"], rows["max_daily_loss"]["value"]) == (5, "20000")


def test_what_binds_what_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    binds = {name: row["binds"] for name, row in by_name(told(capsys, "show")).items()}
    assert {name for name in NAMES if binds[name] == "account"} == set(ACCOUNT_LIMITS)
    assert {name for name in NAMES if binds[name] == "account and each strategy"} == set(BOOK_LIMITS)
    assert {binds[name] for name in NAMES if name not in {*ACCOUNT_LIMITS, *BOOK_LIMITS}} == {"each order"}


def test_a_value_that_is_no_amount_is_shown_as_what_it_does(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stored["paper:main", ""] = {"max_daily_loss": "NaN"}
    row = by_name(told(capsys, "show"))["max_daily_loss"]
    assert row["value"] == (
        "refuses everything: max_daily_loss is NaN, it must be above 0 and at most 1000000000000000"
    )
    assert row["source"] == "account"


def test_the_table_is_for_people(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["limits", "show"]) == 0
    text = capsys.readouterr().out
    for name in NAMES:
        assert f" {name} " in text


def test_limits_are_set_stored_and_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    rows = told(capsys, "set", "max_daily_loss=20000.50", "max_open_orders=1e2", "--reason", "first week")
    assert {row["limit"]: (row["before"], row["after"]) for row in rows} == {
        "max_daily_loss": (None, "20000.50"),
        "max_open_orders": (None, "100"),
    }
    assert world.stored == {("paper:main", ""): {"max_daily_loss": "20000.50", "max_open_orders": "100"}}
    (envelope,) = world.sent
    event = envelope.data
    assert (envelope.type, envelope.key, envelope.broker, envelope.source) == (
        "control.limits", "paper:main", "shared", "operator",
    )  # fmt: skip
    assert (event.scope, event.account, event.strategy, event.reason) == ("paper:main", "paper:main", "", "first week")
    assert event.actor
    assert {name: (one.before, one.after) for name, one in event.changes.items()} == {
        "max_daily_loss": (None, "20000.50"),
        "max_open_orders": (None, "100"),
    }


def test_a_strategys_limit_is_its_own(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "set", "max_open_orders=5", "--strategy", "rsi", "--account", "paper")
    assert world.stored == {("paper:main", "rsi"): {"max_open_orders": "5"}}
    event = world.sent[0].data
    assert (event.scope, event.account, event.strategy) == ("paper:main/rsi", "paper:main", "rsi")


def test_setting_what_is_set_tells_nobody(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "set", "max_open_orders=5")
    assert told(capsys, "set", "max_open_orders=5") == []
    assert len(world.sent) == 1
    assert _run(["limits", "set", "max_open_orders=5"]) == 0
    assert capsys.readouterr().out == "paper:main: nothing to change\n"


def test_a_reset_takes_away_what_was_set(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "set", "max_open_orders=5", "max_daily_trades=6", "max_daily_loss=7")
    rows = told(capsys, "reset", "max_open_orders")
    assert [(row["limit"], row["before"], row["after"]) for row in rows] == [("max_open_orders", "5", None)]
    assert world.stored["paper:main", ""] == {"max_daily_trades": "6", "max_daily_loss": "7"}
    assert {row["limit"] for row in told(capsys, "reset")} == {"max_daily_trades", "max_daily_loss"}
    assert world.stored["paper:main", ""] == {}
    assert told(capsys, "reset") == []
    assert by_name(told(capsys, "show"))["max_open_orders"]["source"] == "default"


REFUSALS = [
    (["set", "max_open_order=5"], "There is no limit 'max_open_order'; did you mean max_open_orders"),
    (["set", "zzz=5"], "There is no limit 'zzz'; known: max_order_quantity,"),
    (["set", "max_open_orders"], "'max_open_orders' is not NAME=VALUE"),
    (["set", "=5"], "There is no limit ''"),
    (["set", "max_open_orders="], "max_open_orders is '', not a number"),
    (["set", "max_open_orders=-1"], "max_open_orders is -1, it must be above 0"),
    (["set", "max_open_orders=0"], "max_open_orders is 0, it must be above 0"),
    (["set", "max_open_orders=1.5"], "max_open_orders is 1.5, it must be a whole number"),
    (["set", "max_daily_loss=NaN"], "max_daily_loss is NaN, it must be above 0"),
    (["set", "max_daily_loss=inf"], "max_daily_loss is inf, it must be above 0"),
    (["set", "max_daily_loss=lots"], "max_daily_loss is 'lots', not a number"),
    (["set", "max_daily_loss=1e99"], "max_daily_loss is 1e99, it must be above 0 and at most 1000000000000000"),
    (["set", "price_band_percent=101"], "price_band_percent is 101, it must be above 0 and at most 100"),
    (["set", "max_open_orders=1", "max_open_orders=2"], "A limit is given twice"),
    (["set", "max_open_orders=1", "--account", "papr"], "There is no account 'papr'; did you mean paper"),
    (["set", "max_open_orders=1", "--strategy", "momentun"], "instance 'momentun'; did you mean momentum?"),
    (["set", "max_drawdown_percent=1", "--strategy", "rsi"], "max_drawdown_percent is a limit of the whole account"),
    (["set"], "Missing argument"),
    (["reset", "max_open_order"], "There is no limit 'max_open_order'; did you mean max_open_orders"),
    (["reset", "--strategy", "nope"], "There is no strategy instance 'nope'; known: momentum, rsi"),
    (["show", "--account", "live"], "There is no account 'live'"),
    (["show", "--strategy", "nope"], "There is no strategy instance 'nope'; known: momentum, rsi"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSALS, ids=[" ".join(one) for one, _ in REFUSALS])
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refused(capsys, *arguments)
    assert world.stored == {}
    assert world.sent == []


def test_one_wrong_assignment_stops_them_all(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, "set", "max_open_orders=5", "max_daily_loss=NaN")
    assert world.stored == {}


def test_with_two_accounts_one_has_to_be_named(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHA_PANDA_PROFILE", "sandbox")
    from faust_app.runtime.settings import load_settings

    monkeypatch.setattr(command, "settings", lambda: load_settings("sandbox"))
    assert "Which account? --account paper:main or zerodha:main" in refused(capsys, "set", "max_open_orders=1")
    told(capsys, "set", "max_open_orders=1", "--account", "zerodha:main")
    assert world.stored == {("zerodha:main", ""): {"max_open_orders": "1"}}
    rows = told(capsys, "show")
    assert {(row["account"], row["value"]) for row in rows if row["limit"] == "max_open_orders"} == {
        ("paper:main", 200),
        ("zerodha:main", 1),
    }
    assert {row["account"] for row in told(capsys, "show", "--account", "paper")} == {"paper:main"}
