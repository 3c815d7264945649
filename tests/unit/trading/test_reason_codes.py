"""Every reason code is given by some rule, and documented."""

from __future__ import annotations

import ast
from pathlib import Path

from trading.risk import chain
from trading.risk.codes import MEANINGS, ReasonCode

ROOT = Path(chain.__file__).resolve().parents[2]


def codes_used() -> set[str]:
    """Names of the codes that the sources of sizing and checks refuse with."""
    sources = [ROOT / "trading/risk/sizing.py", *(ROOT / "trading/risk/checks").glob("*.py")]
    return {
        node.attr
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ReasonCode"
    }


def test_every_code_is_given_by_a_rule() -> None:
    assert codes_used() == {code.name for code in ReasonCode}


def test_every_code_has_a_meaning_of_one_sentence() -> None:
    assert set(MEANINGS) == set(ReasonCode)
    assert all(meaning.endswith(".") and "\n" not in meaning for meaning in MEANINGS.values())
    assert len(set(MEANINGS.values())) == len(MEANINGS)


def test_every_code_is_in_the_published_table() -> None:
    table = (ROOT / "docs/reason_codes.md").read_text()
    assert [code for code in ReasonCode if f"`{code}`" not in table or MEANINGS[code] not in table] == []


def test_every_check_stands_in_the_chain_once() -> None:
    declared = {
        node.name
        for source in (ROOT / "trading/risk/checks").glob("*.py")
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name != "Check"
    }
    assert sorted(type(check).__name__ for check in chain.CHAIN) == sorted(declared)
