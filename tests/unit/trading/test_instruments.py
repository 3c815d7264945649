"""Instruments: what follows from their fields, and how they are found and chosen."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import instrument
from trading.market.instruments import InstrumentRegistry, is_key, select


def test_the_registry_finds_by_token_and_key() -> None:
    other = instrument(instrument_token=2, tradingsymbol="TCS", group="pair")
    registry = InstrumentRegistry([instrument(), other])
    assert registry.by_key("NSE:TCS") is other
    assert registry.by_token(2) is other
    assert other.co_location_group == "pair"
    assert (registry.by_key("NSE:X"), registry.by_token(3)) == (None, None)
    assert (len(registry), [one.tradingsymbol for one in registry]) == (2, ["INFY", "TCS"])


def test_selection_refuses_malformed_unknown_and_repeated_rows() -> None:
    registry = InstrumentRegistry([instrument()])
    chosen, problems = select([(2, "NSE:INFY"), (3, "INFY"), (4, "NSE:X"), (5, "NSE:INFY"), (6, ":X")], registry)
    assert [one.key for one in chosen] == ["NSE:INFY"]
    assert [problem.line for problem in problems] == [3, 4, 5, 6]


@given(st.lists(st.text(max_size=12)))
def test_every_row_of_a_list_is_chosen_or_refused_with_its_line(rows: list[str]) -> None:
    registry = InstrumentRegistry([instrument()])
    chosen, problems = select(list(enumerate(rows, 1)), registry)
    refused = [problem.line for problem in problems]
    assert refused == sorted(set(refused))
    assert len(chosen) + len(problems) == len(rows)


@pytest.mark.parametrize("text", ["INFY", "NSE:", ":INFY", "NSE:INFY:X", "", "NSE INFY"])
def test_a_malformed_line_of_a_list_is_quoted(text: str) -> None:
    _, problems = select([(7, text)], InstrumentRegistry([instrument()]))
    assert [(one.line, one.reason) for one in problems] == [(7, f"{text!r} is not EXCHANGE:TRADINGSYMBOL")]


@pytest.mark.parametrize(
    ("text", "answer"),
    [("NSE:INFY", True), ("NSE:NIFTY 50", True), ("INFY", False), (":INFY", False), ("NSE:", False), ("A:B:C", False)],
)
def test_a_key_has_two_parts(text: str, answer: bool) -> None:
    assert is_key(text) is answer


@pytest.mark.parametrize(
    ("values", "tradable"),
    [({}, True), ({"segment": "INDICES"}, False), ({"tick_size": Decimal(0)}, False), ({"lot_size": 0}, False)],
)
def test_indices_are_not_tradable(values: dict[str, object], tradable: bool) -> None:
    assert instrument(**values).is_tradable is tradable


def test_a_contract_names_its_underlying() -> None:
    assert instrument(name="NIFTY", instrument_type="CE").underlying == "NIFTY"
    assert instrument(name="INFOSYS").underlying == ""
