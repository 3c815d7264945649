"""What the checks of the account make of answers: both sides of every boundary."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from agents.live.preflight.account import (
    ROUND_SECONDS,
    Compared,
    judge_funds,
    judge_kill_switch,
    judge_lease,
    judge_limits,
    judge_reconciliation,
    judge_session,
)
from agents.live.preflight.result import Outcome, Result
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.client import Greeting
from faust_app.runtime.lease import Holder
from faust_app.runtime.sections import RiskSettings
from faust_app.runtime.trading_state import ScopeState
from models.messages.control import TradingState
from trading.risk.limits import NAMES

EXPIRES = 1_787_272_200  # 2026-08-21 06:00 IST
NOW = 1_787_200_000.0
USER = {
    "user_id": "AB1234",
    "exchanges": ["NSE", "NFO"],
    "products": ["CNC", "MIS", "MTF"],
    "order_types": ["LIMIT"],
}
DEFAULTS = RiskSettings().model_dump()  # type: ignore[call-arg]
S = TradingState


def greeting(user: Any) -> Greeting:
    return Greeting(user, "Thu, 20 Aug 2026 03:15:00 GMT", NOW, NOW)


def is_failure(result: Result, words: str) -> bool:
    return result.outcome is Outcome.FAILED and words in result.sentence


def test_a_session_names_who_may_trade_what_and_until_when() -> None:
    found = judge_session(greeting(USER), EXPIRES, ["NSE"])
    assert found.outcome is Outcome.PASSED
    assert found.sentence == "AB1234 until 2026-08-21 06:00 IST, exchanges NFO, NSE, products CNC, MIS, MTF"


@pytest.mark.parametrize(
    ("user", "exchanges", "words"),
    [
        (SessionRefused("TokenException: Invalid"), [], "does not accept the session (TokenException: Invalid)"),
        (BrokerFailure("ReadTimeout"), [], "does not answer who we are: ReadTimeout"),
        (USER, ["NSE", "MCX", "BSE"], "may not trade on BSE, MCX, only on NFO, NSE"),
        ({**USER, "exchanges": None}, ["NSE"], "may not trade on NSE, only on none"),
        ({**USER, "products": ["MTF"]}, ["NSE"], "none of our products, only MTF"),
        ({**USER, "products": "CNC"}, ["NSE"], "none of our products, only none"),
    ],
)
def test_a_session_that_does_not_let_us_trade_fails(user: Any, exchanges: list[str], words: str) -> None:
    assert is_failure(judge_session(greeting(user), EXPIRES, exchanges), words)


def funds(net: Any, collateral: Any = 0) -> dict[str, Any]:
    return {"net": net, "available": {"cash": 1, "collateral": collateral}}


@pytest.mark.parametrize(
    ("row", "least", "passes"),
    [
        (funds(0.05), "0", True),
        (funds(0), "0", False),
        (funds(-100), "0", False),
        (funds(10_000), "10000", False),
        (funds(10_000.01), "10000", True),
        (funds(500, collateral=500), "0", False),
        (funds(501, collateral=500), "0", True),
    ],
)
def test_funds_have_to_be_above_the_least(row: dict[str, Any], least: str, passes: bool) -> None:
    assert judge_funds(row, Decimal(least)).has_failed is not passes


@pytest.mark.parametrize("row", [{}, {"net": 5}, funds("NaN"), funds(None), funds(True), {"net": 5, "available": []}])
def test_funds_that_cannot_be_read_fail(row: dict[str, Any]) -> None:
    assert is_failure(judge_funds(row, Decimal(0)), "The broker's funds cannot be read")


def test_limits_of_the_settings_and_of_strategies_are_usable() -> None:
    rows = {"": {"max_daily_loss": "20000"}, "rsi": {"max_open_orders": "5"}}
    found = judge_limits("zerodha:main", DEFAULTS, rows)
    assert not found.has_failed
    assert found.sentence == f"All {len(NAMES)} of zerodha:main are set, daily loss 20000; limits of their own: rsi"
    assert not judge_limits("zerodha:main", DEFAULTS, {}).has_failed


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"": {"max_daily_loss": "NaN"}}, "zerodha:main: max_daily_loss is NaN, it must be above 0"),
        ({"": {"max_daily_loss": None}}, "max_daily_loss is missing"),
        ({"": {"max_daily_loss": "-1"}}, "max_daily_loss is -1"),
        ({"rsi": {"max_open_orders": "0"}}, "max_open_orders is 0, it must be above 0 and at most"),
        ({"rsi": {"max_open_orders": "0"}}, "(rsi)"),
        ({"": {"max_dayly_loss": "5"}}, "max_dayly_loss is set, but there is no such limit"),
        ({"": dict.fromkeys(NAMES)}, f"is missing; and {len(NAMES) - 3} more"),
    ],
)
def test_one_limit_that_is_no_amount_fails(rows: dict[str, dict[str, Any]], words: str) -> None:
    assert is_failure(judge_limits("zerodha:main", DEFAULTS, rows), words)


def test_a_limit_without_default_and_value_fails() -> None:
    without = {name: value for name, value in DEFAULTS.items() if name != "max_daily_loss"}
    assert judge_limits("zerodha:main", without, {}).has_failed
    assert not judge_limits("zerodha:main", without, {"": {"max_daily_loss": "1"}}).has_failed


@pytest.mark.parametrize(
    ("latest", "words"),
    [
        (None, "There is no round yet"),
        (Compared(NOW - ROUND_SECONDS - 1, (), 0), "ended 301 s ago, the limit is 300 s"),
        (Compared(NOW, ("trades", "funds"), 0), "could not read the broker's trades, funds"),
        (Compared(NOW, (), 1), "Differences that block: 1"),
    ],
)
def test_what_keeps_reconciliation_from_passing(latest: Compared | None, words: str) -> None:
    assert is_failure(judge_reconciliation(latest, NOW), words)


def test_a_fresh_complete_round_without_blocking_differences_passes() -> None:
    assert not judge_reconciliation(Compared(NOW - ROUND_SECONDS, (), 0), NOW).has_failed
    assert judge_reconciliation(None, NOW).has_failed


def states(**values: TradingState) -> dict[str, ScopeState]:
    return {
        name.replace("_", ":"): ScopeState(state, number, "me", "because")
        for number, (name, state) in enumerate(values.items(), 1)
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Nobody has said that zerodha may trade"),
        (states(broker_paper=S.ACTIVE), "Nobody has said"),
        (states(strategy_rsi=S.ACTIVE), "Nobody has said"),
        (states(all=S.HALTED), "all is halted since revision 1, by me, for because"),
        (states(all=S.ACTIVE, broker_zerodha=S.REDUCING), "broker:zerodha is reducing since revision 2"),
        (states(broker_zerodha=S.ACTIVE, all=S.HALTED), "all is halted"),
    ],
)
def test_a_kill_switch_that_is_not_said_to_be_active_fails(given: dict[str, ScopeState], words: str) -> None:
    assert is_failure(judge_kill_switch(given, "zerodha"), words)


@pytest.mark.parametrize("scope", ["all", "broker_zerodha"])
def test_one_scope_said_to_be_active_is_enough(scope: str) -> None:
    found = judge_kill_switch(
        states(**{scope: S.ACTIVE, "strategy_rsi": S.HALTED, "broker_paper": S.HALTED}), "zerodha"
    )
    assert found.outcome is Outcome.PASSED
    assert found.sentence.endswith("by me; not active: strategy:rsi")


def test_the_lease_is_free_or_held_here() -> None:
    assert not judge_lease(None, "desk").has_failed
    assert not judge_lease(Holder(3, "desk/0"), "desk").has_failed
    assert is_failure(judge_lease(Holder(3, "laptop/0"), "desk"), "laptop/0 runs the account, fence 3: stop it there")
    assert judge_lease(Holder(3, "desktop/0"), "desk").has_failed
