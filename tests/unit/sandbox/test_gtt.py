"""Good-till-triggered orders."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.errors import Refused
from sandbox.gtt import Trigger, TriggerStatus, read_plan
from tests.floor import Floor

LEG = {"transaction_type": "SELL", "quantity": 5, "order_type": "LIMIT", "product": "MIS", "price": 989.5}


def fields(kind: str = "single", triggers: Any = (990,), last: float = 1000, **leg: Any) -> dict[str, str]:
    condition = {"exchange": "NSE", "tradingsymbol": "INFY", "trigger_values": list(triggers), "last_price": last}
    orders = [LEG | leg] * len(triggers)
    return {"type": kind, "condition": json.dumps(condition), "orders": json.dumps(orders)}


@pytest.fixture
def floor() -> Floor:
    found = Floor()
    found.tick(1000)
    return found


def add(floor: Floor, **given: Any) -> Trigger:
    return floor.broker.gtts.add(read_plan(fields(**given), floor.broker.catalogue))


@pytest.mark.parametrize(
    ("trigger", "before", "reached"), [(990, 990.05, 990), (990, 1005, 985), (1010, 1009.95, 1010), (1010, 990, 1015)]
)
def test_single_trigger_places_its_order_once(floor: Floor, trigger: float, before: float, reached: float) -> None:
    gtt = add(floor, triggers=(trigger,), price=1050)
    floor.tick(before)
    assert (gtt.status, len(floor.broker.book)) == (TriggerStatus.ACTIVE, 0)
    floor.tick(reached)
    floor.tick(reached)
    (order,) = floor.broker.book
    assert (gtt.status, order.terms.source, order.status) == (TriggerStatus.TRIGGERED, "gtt", "OPEN")
    assert gtt.results[0]["order_result"] == {
        "status": "success",
        "order_id": order.order_id,
        "rejection_reason": "",
    }


@pytest.mark.parametrize(("price", "leg"), [(990, 0), (1010, 1)])
def test_two_legs_cancel_each_other(floor: Floor, price: float, leg: int) -> None:
    gtt = add(floor, kind="two-leg", triggers=(990, 1010))
    floor.tick(price)
    floor.tick(2000 - price)
    assert list(gtt.results) == [leg]
    assert len(floor.broker.book) == 1


def test_rejected_and_refused_orders_are_in_the_result(floor: Floor) -> None:
    rejected, refused = add(floor, price=800), add(floor, product="CNC")
    floor.tick(990)
    assert "circuit limit" in rejected.results[0]["order_result"]["rejection_reason"]
    assert "can be sold as CNC" in refused.results[0]["order_result"]["rejection_reason"]
    assert {one.results[0]["order_result"]["status"] for one in (rejected, refused)} == {"failed"}
    assert refused.results[0]["order_result"]["order_id"] == ""


def test_changed_trigger_counts_and_a_deleted_one_is_gone(floor: Floor) -> None:
    gtts = floor.broker.gtts
    one, two = add(floor), add(floor)
    gtts.change(one, read_plan(fields(triggers=(980,)), floor.broker.catalogue))
    gtts.delete(two)
    floor.tick(985)
    assert one.status is TriggerStatus.ACTIVE
    floor.tick(979)
    assert one.status is TriggerStatus.TRIGGERED
    assert [gtt.number for gtt in gtts] == [one.number]
    for number in (str(two.number), "x"):
        with pytest.raises(Refused, match="Trigger not found"):
            gtts.find(number)
    for change in (lambda: gtts.delete(one), lambda: gtts.change(one, one.plan)):
        with pytest.raises(Refused, match="The trigger is triggered"):
            change()
    assert add(floor).number > two.number


def test_trigger_expires_after_a_year(floor: Floor) -> None:
    gtt = add(floor)
    floor.clock.advance(365 * 86_400)
    assert gtt.status is TriggerStatus.EXPIRED


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"kind": "three-leg"}, "Invalid `type`"),
        ({"triggers": (990, 1010)}, "Invalid `trigger_values`"),
        ({"kind": "two-leg"}, "Invalid `trigger_values`"),
        ({"kind": "two-leg", "triggers": (1010, 990)}, "below and above the last price"),
        ({"triggers": ("x",)}, "Invalid `trigger_values`"),
        ({"triggers": (0,)}, "Invalid `trigger_values`"),
        ({"last": -1}, "Invalid `last_price`"),
        ({"triggers": (997.55,)}, "too close to the last price"),
        ({"order_type": "MARKET"}, "Only LIMIT orders"),
        ({"price": 989.51}, "Tick size"),
        ({"quantity": 0}, "Invalid `quantity`"),
    ],
)
def test_what_is_no_trigger_is_refused(floor: Floor, given: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused, match=text):
        add(floor, **given)


def test_trigger_a_quarter_percent_away_is_taken(floor: Floor) -> None:
    assert add(floor, triggers=(997.5,)).plan.triggers == [9_975_000]


@pytest.mark.parametrize(("name", "value"), [("condition", "{"), ("condition", "[]"), ("orders", "{}"), ("orders", "")])
def test_malformed_json_is_refused(floor: Floor, name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"Invalid `{name}`"):
        read_plan(fields() | {name: value}, floor.broker.catalogue)
