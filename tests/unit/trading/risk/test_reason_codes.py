"""Every reason code is given by some rule, and documented."""

from __future__ import annotations

import ast
from pathlib import Path

from tools.generate_docs import reason_codes_page
from trading.risk import chain
from trading.risk.checks.base import Check
from trading.risk.checks.book import BookCheck
from trading.risk.codes import MEANINGS, ReasonCode

ROOT = Path(chain.__file__).resolve().parents[2]


def codes_used() -> set[str]:
    """Names of the codes that the sources of risk refuse with."""
    sources = [one for one in (ROOT / "trading/risk").rglob("*.py") if one.name != "codes.py"]
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


def test_the_published_table_is_that_of_the_code() -> None:
    page = (ROOT / "docs/reason_codes.md").read_text()
    assert page == reason_codes_page() + "\n"
    assert [code for code in ReasonCode if f"| `{code}` |" not in page or MEANINGS[code] not in page] == []
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| `")]
    published = [row[2].strip("`") for row in rows if row[2].startswith("`")]
    assert published == [type(check).__name__ for check in chain.CHAIN]


def subclasses(kind: type) -> set[type]:
    return {one for child in kind.__subclasses__() for one in ({child} | subclasses(child))}


def test_every_check_stands_in_the_chain_once_with_a_code_of_its_own() -> None:
    declared = subclasses(Check) - {BookCheck}
    assert sorted(type(check).__name__ for check in chain.CHAIN) == sorted(kind.__name__ for kind in declared)
    assert len({check.code for check in chain.CHAIN}) == len(chain.CHAIN)
