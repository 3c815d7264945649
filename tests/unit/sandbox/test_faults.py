"""When faults strike, and what a scenario file may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.errors import BadScenario
from sandbox.fault_kinds import MEANINGS, Kind
from sandbox.faults import Fault, Faults
from sandbox.scenario import load_scenario
from tests.floor import Floor


def hits(occasions: int = 12, **settings: Any) -> list[int]:
    """Occasions, from 1, at which a fault strikes."""
    faults = Faults([Fault.model_validate({"kind": "reject", **settings})])
    return [number for number in range(1, occasions + 1) if faults.strike(Kind.REJECT, "NSE:INFY")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, list(range(1, 13))),
        ({"count": 2}, [1, 2]),
        ({"after": 10}, [11, 12]),
        ({"period": 5}, [5, 10]),
        ({"after": 1, "period": 4, "count": 2}, [5, 9]),
        ({"instruments": ["NSE:TCS"]}, []),
        ({"instruments": ["NSE:TCS", "NSE:INFY"], "count": 1}, [1]),
    ],
)
def test_fault_strikes_when_it_is_told_to(settings: dict[str, Any], expected: list[int]) -> None:
    assert hits(**settings) == expected


def test_probability_is_a_function_of_the_seed() -> None:
    first, again, other = (hits(400, probability=0.3, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert 80 < len(first) < 160


def test_calls_are_struck_by_endpoint() -> None:
    faults = Faults([Fault(kind=Kind.SLOW, endpoints=("POST /orders/*", "GET /quote*"))])
    calls = ("POST /orders/regular", "GET /quote/ltp", "PUT /orders/regular/1", "GET /orders")
    assert [bool(faults.strike_call(call, None)) for call in calls] == [True, True, False, False]


def test_faults_are_switched_off_one_by_one_or_together() -> None:
    faults = Faults()
    one, two, three = (faults.switch_on(Fault(kind=Kind.REJECT)).number for _ in range(3))
    assert faults.switch_off(two) == 1
    assert [body["id"] for body in faults.bodies()] == [one, three]
    assert faults.switch_off(two) == 0
    assert faults.switch_off() == 2
    assert not faults.are_on


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kind": "earthquake"}, "Input should be"),
        ({"kind": "slow", "probability": 0}, "greater than 0"),
        ({"kind": "slow", "probability": 1.1}, "less than or equal to 1"),
        ({"kind": "slow", "count": 0}, "greater than 0"),
        ({"kind": "slow", "wait": 1}, "Extra inputs are not permitted"),
        ({"kind": "server_error", "status": 404}, "greater than or equal to 500"),
        ({"kind": "reject", "endpoints": ["*"]}, "reject does not strike calls"),
        ({"kind": "timed_out", "accepted": False}, "use no_answer with accepted: false"),
    ],
)
def test_fault_that_makes_no_sense_is_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Fault.model_validate(settings)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_meaning_and_its_defaults(kind: Kind) -> None:
    assert MEANINGS[kind][1].endswith(".")
    fault = Fault(kind=kind)
    assert fault.wait >= 0
    assert Fault.model_validate(fault.model_dump(exclude={"endpoints"})) == fault


GOOD = """
seed: 7
rules: {opening_cash: 500000, limits: {orders_per_second: 20}, freeze_quantities: {"NSE:INFY": 50}}
account:
  holdings: [{instrument: "NSE:INFY", quantity: 10, average_price: 900.5}]
  positions: [{instrument: "NSE:TCS", product: MIS, quantity: -5, average_price: 2000}]
faults:
  - {kind: no_answer, after: 3, count: 1}
  - {kind: reject, reason: circuit, seed: 3}
"""


def test_scenario_sets_everything(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(GOOD)
    scenario = load_scenario(file)
    assert [one.seed for one in scenario.seeded_faults()] == [7, 10]
    floor = Floor(**scenario.model_dump(exclude_unset=True))
    assert floor.broker.account.funds().opening == 500_000 * 10_000
    assert floor.position("TCS").quantity == -5
    assert floor.broker.freeze_quantity(floor.instrument("INFY")) == 50
    assert [one.total for one in floor.broker.account.holdings] == [10]
    assert len(floor.broker.faults.bodies()) == 2


def test_scenario_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()
    file = tmp_path / "scenario.yaml"
    file.write_text(page.partition("```yaml")[2].partition("```")[0])
    floor = Floor(**load_scenario(file).model_dump(exclude_unset=True))
    assert len(floor.broker.faults.bodies()) == 4
    assert floor.position("TCS").day_quantity == -5


def test_empty_scenario_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("")
    assert load_scenario(file).faults == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("faults: [", "line 2: not YAML"),
        ("- a", "Input should be a valid dictionary"),
        ("rule: {}", "rule: Extra inputs are not permitted"),
        ("faults: [{kind: slow, probability: 2}]", "faults.0.probability: Input should be less than or equal to 1"),
        (
            "faults: [{kind: reject, endpoints: [a]}]",
            "faults.0: reject does not strike calls, so it takes no endpoints",
        ),
        ("rules: {opening_cash: .nan}", "rules.opening_cash: Input should be a finite number"),
    ],
)
def test_bad_scenario_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text + "\n")
    with pytest.raises(BadScenario) as bad:
        load_scenario(file)
    assert str(bad.value).startswith(str(file))
    assert sentence in str(bad.value)
    assert "\n" not in str(bad.value)


def test_missing_and_binary_scenarios_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match="No such file"):
        load_scenario(tmp_path / "nowhere.yaml")
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(BadScenario, match="is not text"):
        load_scenario(file)


def test_scenario_of_an_unknown_instrument_is_one_sentence() -> None:
    holdings = [{"instrument": "NSE:NOTHING", "quantity": 1, "average_price": 1}]
    with pytest.raises(BadScenario, match=r"^account: NSE:NOTHING is not traded here$"):
        Floor(account={"holdings": holdings})


def test_changed_list_is_on_as_long_as_its_fault() -> None:
    floor = Floor()
    before = {one.key: one for one in floor.broker.catalogue}
    floor.fault("changed_dump", seed=4)
    after = {one.key: one for one in floor.broker.catalogue}
    assert "NSE:NEWLISTING" in after
    assert len(before.keys() - after.keys()) == 2  # one is gone, one has moved
    assert len([key for key in before.keys() & after.keys() if before[key] != after[key]]) == 1
    assert len({one.instrument_token for one in after.values()}) == len(after)
    floor.broker.faults.switch_off()
    assert {one.key: one for one in floor.broker.catalogue} == before
