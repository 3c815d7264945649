"""The list of instruments: refused by line, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.feed.watchlist import read_watchlist
from faust_app.runtime.errors import ConfigurationError
from tests.factories import instrument
from trading.market.instruments import InstrumentRegistry

REGISTRY = InstrumentRegistry([instrument(), instrument(instrument_token=2_953_217, tradingsymbol="TCS")])


def read(folder: Path, text: str) -> list[str]:
    file = folder / "instruments.yaml"
    file.write_text(text)
    return [one.key for one in read_watchlist(file, REGISTRY)]


def test_all_takes_the_whole_dump(tmp_path: Path) -> None:
    assert read(tmp_path, "all: true\n") == ["NSE:INFY", "NSE:TCS"]


def test_rows_are_taken_in_order(tmp_path: Path) -> None:
    assert read(tmp_path, "instruments:\n  - NSE:TCS\n  - NSE:INFY\n") == ["NSE:TCS", "NSE:INFY"]


def test_every_refused_line_is_named(tmp_path: Path) -> None:
    text = "instruments:\n  - NSE:TCS\n  - NSE:TCS\n  - TCS\n  - NSE:NOPE\n  - {a: b}\nextra: 1\n"
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, text)
    sentence = str(refused.value)
    for part in (
        "line 3: NSE:TCS appears twice",
        "line 4: 'TCS' is not",
        "line 5: NSE:NOPE",
        "line 6",
        "line 7: unknown key 'extra'",
    ):
        assert part in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("instruments: []\n", "names no instrument"),
        ("- a\n", "must hold the keys"),
        ("", "must hold the keys"),
        ("a: [\n", "not valid YAML"),
        ("all: maybe\n", "line 1: all must be true or false"),
        ("instruments: NSE:INFY\n", "line 1: instruments must be a list"),
    ],
)
def test_unusable_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        read(tmp_path, text)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Cannot read the list of instruments"):
        read_watchlist(tmp_path / "none.yaml", REGISTRY)
