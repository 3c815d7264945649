"""The shipped freeze quantities, and what a mistake in the file is told as."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.instrument_load import FREEZE_QUANTITIES, read_freeze_quantities
from trading.market.freeze_quantities import freeze_quantities_on


def test_the_shipped_file_knows_the_indices_since_february_2026() -> None:
    periods = read_freeze_quantities(FREEZE_QUANTITIES)
    assert all(one.source for one in periods)
    assert freeze_quantities_on(date(2026, 1, 31), periods) == {}
    known = freeze_quantities_on(date(2026, 2, 1), periods)
    assert known.keys() == {"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX", "BANKEX"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("periods: [{from: 2026-13-01, source: x, quantities: {}}]", "a date or a number that does not exist"),
        ("periods: [{from: soon, source: x, quantities: {}}]", "periods.0.from"),
        ("periods: [{from: 2026-01-01, source: x, quantities: {NIFTY: 0}}]", "periods.0.quantities.NIFTY"),
        ("periods: [{from: 2026-01-01, quantities: {}}]", "periods.0.source"),
        ("periods: [{from: 2026-01-01, source: x, quantities: {}, until: 2026-02-01}]", "periods.0.until"),
        ("quantities: {}", "quantities"),
        ("- 1", "must hold a mapping"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "freeze.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_freeze_quantities(file)


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_freeze_quantities(tmp_path / "none.yaml") == []
