"""Kite's triggers as every broker has them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from brokers.zerodha.gtt import read_trigger, read_triggers, trigger_fields
from brokers.zerodha.mapping import BadRow
from models.messages.orders import Product, Side
from models.messages.protection import ProtectedPosition, TriggerTerms
from tests.shared_data import shared_data
from trading.orders.triggers import Outcome

D = Decimal
LEG = {"exchange": "NSE", "tradingsymbol": "INFY", "product": "CNC", "order_type": "LIMIT", "transaction_type": "SELL"}


def row(**values: Any) -> dict[str, Any]:
    """An OCO to sell 10."""
    condition = {"exchange": "NSE", "tradingsymbol": "INFY", "trigger_values": [980.05, 1040.05], "last_price": 1000}
    found = {
        "id": 7,
        "type": "two-leg",
        "status": "active",
        "updated_at": "2026-08-20 09:16:40",
        "condition": condition,
        "orders": [{**LEG, "quantity": 10, "price": price, "result": None} for price in (970.25, 1029.65)],
    }
    return {**found, **values}


def leg(**values: Any) -> dict[str, Any]:
    return {**LEG, "quantity": 10, "price": 970.25, "result": None, **values}


def test_what_was_asked_for_comes_back_with_the_same_terms() -> None:
    position = ProtectedPosition(
        account="zerodha:main", strategy="s", instrument="NSE:INFY", instrument_token=1, product=Product.CNC
    )
    terms = TriggerTerms(
        side=Side.SELL,
        quantity=10,
        triggers=(D("980.05"), D("1040.05")),
        limits=(D("970.25"), D("1029.65")),
    )
    asked = trigger_fields(position, terms, D("1000.10"))
    wire = json.loads(json.dumps(asked))
    condition = {name: wire[name] for name in ("exchange", "tradingsymbol", "trigger_values", "last_price")}
    found = read_trigger(row(condition=condition, orders=wire["orders"], type=wire["trigger_type"]))
    assert (found.trigger_id, found.instrument, found.product, found.terms) == ("7", "NSE:INFY", "CNC", terms)
    assert found.is_active
    assert (
        trigger_fields(position, TriggerTerms(side=Side.BUY, quantity=1, triggers=(D(5),), limits=(D(6),)), D(4))[
            "trigger_type"
        ]
        == "single"
    )


def test_the_sample_files_can_be_read() -> None:
    rows = json.loads(shared_data("kiteconnect-mocks", "gtt_get_orders.json").read_text())["data"]
    found, problems = read_triggers(rows)
    assert problems == []
    assert {number: one.status for number, one in found.items()} == {"112127": "active", "105099": "triggered"}
    assert found["112127"].terms == TriggerTerms(side=Side.BUY, quantity=1, triggers=(D(702),), limits=(D("702.5"),))
    (outcome,) = found["105099"].outcomes
    assert (outcome.leg, outcome.order_id, outcome.at) == (1, "", 1_568_022_308)
    assert "circuit limit" in outcome.reason


def test_the_order_of_a_fired_leg_is_named() -> None:
    told = {"order_result": {"status": "success", "order_id": "15", "rejection_reason": ""}, "timestamp": "x"}
    found = read_trigger(row(status="triggered", orders=[leg(), leg(price=1029.65, result=told)]))
    assert found.outcomes == (Outcome(leg=1, order_id="15", reason="", at=0),)
    assert not found.is_active


@pytest.mark.parametrize(
    "orders",
    [
        [leg()],
        [leg(), leg(quantity=9)],
        [leg(), leg(transaction_type="BUY")],
        [leg(), leg(product="NRML")],
        [leg(), leg(order_type="MARKET")],
        [leg(price=0), leg()],
        [leg(quantity=0), leg(quantity=0)],
        [leg(transaction_type="SWAP"), leg(transaction_type="SWAP")],
        [],
    ],
)
def test_a_trigger_of_another_kind_has_no_terms_of_ours(orders: list[dict[str, Any]]) -> None:
    assert read_trigger(row(orders=orders)).terms is None


@pytest.mark.parametrize(
    "bad",
    [
        {"id": None},
        {"id": "x"},
        {"id": -1},
        {"status": None},
        {"condition": None},
        {"condition": {}},
        {"orders": None},
        {"orders": [1]},
        {"orders": [leg(result={}), leg(result={"order_result": None})]},
        {"orders": [leg(price="x"), leg()]},
        {"orders": [leg(result=[1]), leg()]},
    ],
)
def test_a_row_that_makes_no_sense_is_told(bad: dict[str, Any]) -> None:
    with pytest.raises(BadRow):
        read_trigger(row(**bad))
    found, problems = read_triggers([row(), row(**bad)])
    assert (list(found), len(problems)) == (["7"], 1)
