"""The last check before a call: what keeps entries back, and how little keeps exits back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from agents.live.gate import Gate
from brokers.zerodha.session import SessionState
from models.messages.control import TradingState
from models.messages.orders import PlannedOrder
from tests.factories import AT, instrument, order
from trading.market.instruments import InstrumentRegistry

TODAY = date(2026, 8, 20)
LISTED = InstrumentRegistry((instrument(lot_size=5),), {"NSE": TODAY})
ENTRY = order(received_ns=AT * 10**9)
EXIT = order(received_ns=AT * 10**9, reduces=True)


def preflight(refusal: str) -> Any:
    return SimpleNamespace(refusal=lambda: refusal)


OPEN = Gate(
    state_of=lambda strategy: TradingState.ACTIVE,
    session=SimpleNamespace(state=SessionState.VALID, reason="There is a session"),  # type: ignore[arg-type]
    lease=SimpleNamespace(value="1|here"),  # type: ignore[arg-type]
    breaker=SimpleNamespace(is_open=False),  # type: ignore[arg-type]
    disagreement=lambda order: "",
    is_stored=lambda: True,
    now=lambda: float(AT + 5),
    most_age_seconds=5.0,
    registry=lambda: LISTED,
    preflight=preflight(""),
)


def test_an_order_passes_when_nothing_speaks_against_it() -> None:
    assert OPEN.refusal(ENTRY) == OPEN.refusal(EXIT) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preflight": preflight("Preflight: funds: no rupee left")}, "Preflight: funds: no rupee left"),
        ({"state_of": lambda strategy: TradingState.HALTED}, "Trading is halted"),
        ({"now": lambda: float(AT + 6)}, "The tick behind it came 6.0 s ago"),
        ({"lease": SimpleNamespace(value="")}, "does not run the account"),
        ({"is_stored": lambda: False}, "PostgreSQL does not answer"),
        ({"disagreement": lambda order: f"{order.instrument} differs"}, "NSE:INFY differs"),
        ({"breaker": SimpleNamespace(is_open=True)}, "has failed several times"),
    ],
)
def test_entries_are_refused_and_exits_pass(change: dict[str, Any], words: str) -> None:
    gate = replace(OPEN, **change)
    assert words in gate.refusal(ENTRY)
    assert gate.refusal(EXIT) == ""


@pytest.mark.parametrize("one", [ENTRY, EXIT])
def test_nothing_goes_without_a_session(one: PlannedOrder) -> None:
    closed = SimpleNamespace(state=SessionState.EXPIRED, reason="The session ended")
    assert replace(OPEN, session=closed).refusal(one) == "The session ended"  # type: ignore[arg-type]


@pytest.mark.parametrize("reduces", [False, True])
def test_an_order_that_does_not_fit_the_instruments_is_refused(reduces: bool) -> None:
    broken = order(received_ns=AT * 10**9, reduces=reduces, quantity=7)
    assert "7 is no multiple of the lot of 5" in OPEN.refusal(broken)


def test_yesterdays_instruments_keep_no_exit_back() -> None:
    old = InstrumentRegistry(LISTED, {"NSE": date(2026, 8, 19)})
    broken = order(received_ns=AT * 10**9, reduces=True, quantity=7)
    assert replace(OPEN, registry=lambda: old).refusal(broken) == ""
    assert replace(OPEN, registry=lambda: InstrumentRegistry(())).refusal(EXIT) == ""
    assert "not among the loaded" in replace(OPEN, registry=lambda: InstrumentRegistry(())).refusal(ENTRY)
