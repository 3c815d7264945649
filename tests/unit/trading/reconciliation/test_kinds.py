"""The table of kinds, and the document made of it."""

from __future__ import annotations

import pytest

from faust_app.runtime.settings import PROJECT
from tools.generate_docs import reconciliation_page
from trading.reconciliation.book import Area
from trading.reconciliation.kinds import KINDS, DifferenceKind, Severity


def test_every_kind_has_its_meaning() -> None:
    assert list(KINDS) == list(DifferenceKind)
    assert all(about.meaning.endswith(".") and about.advice.endswith(".") for about in KINDS.values())
    assert len({about.meaning for about in KINDS.values()}) == len(KINDS)


def test_the_document_is_up_to_date() -> None:
    page = reconciliation_page()
    assert (PROJECT / "docs" / "reconciliation.md").read_text() == page + "\n"
    assert all(f"`{kind.value}`" in page for kind in DifferenceKind)


@pytest.mark.parametrize("kind", DifferenceKind)
def test_a_kind_is_told_from_its_area(kind: DifferenceKind) -> None:
    area = kind.value.partition("_")[0] + "s"
    assert kind is DifferenceKind.ROWS_UNREADABLE or Area(area.replace("fundss", "funds")) in KINDS[kind].areas


def test_only_what_cannot_harm_the_account_leaves_it_free() -> None:
    free = {kind for kind, about in KINDS.items() if about.severity is not Severity.BLOCKS_ACCOUNT}
    assert {kind.value for kind in free} == {
        "order_ended_otherwise", "order_stuck", "order_average", "order_foreign", "trade_average", "trade_doubled",
        "position_overnight", "position_unbooked", "position_foreign", "holding_more", "holding_unsettled",
    }  # fmt: skip
    assert [one for one in Severity if one.is_blocking] == [Severity.BLOCKS_INSTRUMENT, Severity.BLOCKS_ACCOUNT]
