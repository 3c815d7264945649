"""The report of a backtest: one file that needs nothing else, whatever names it is given."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from faust_app.commands.backtest import summary
from faust_app.commands.backtest_report import MOST_TRADES, write_report
from faust_app.commands.backtest_run import Plan
from faust_app.runtime.errors import ConfigurationError
from tests.backtest_runs import START_CASH, at, backtest, hold, plan
from tests.factories import limits
from tests.recorded import Killed, killed_before
from trading.backtest.result import Result
from trading.matching.rules import MatchingRules

LOADS = ("src", "href", "srcset", "data", "action", "poster", "background", "manifest")
NASTY = "<script src='https://evil.example/x.js'></script>&\"'"


class Page(HTMLParser):
    """Tags with their attributes, the visible text, and what scripts and styles hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag if tag in self.inside else ""

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        (self.inside[self._within] if self._within else self.text).append(data)


def result(trades: int = 3, **setup: Any) -> Result:
    seconds = range(0, 4 * trades, 4)
    wishes = {second: hold(10) for second in seconds} | {second + 2: hold(0) for second in seconds}
    ticks = [at(second, 1500 + second % 7, day=day) for day in (0, 1) for second in range(4 * trades)]
    return backtest({"told": plan(wishes)}, ticks, **setup)


def report(folder: Path, of: Result, **values: Any) -> Page:
    defaults: dict[str, Any] = {
        "strategy": "told",
        "data": folder / "bars",
        "limits": {},
        "rules": MatchingRules(),
        "cash": START_CASH,
    }
    write_report(folder / "report.html", Plan(**{**defaults, **values}), of)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def shown(page: Page) -> str:
    return " ".join(" ".join(page.text).split())


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    page = report(tmp_path, result())
    loading = [(tag, name) for tag, attributes in page.tags for name in attributes if name in LOADS]
    assert loading == []
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "div", "span", "b", "p", "code", "script"),
        *("table", "tr", "th", "td", "ul", "li"),
    }
    styles = "".join(page.inside["style"])
    assert "url(" not in styles
    assert "@import" not in styles
    assert sum("plotly.js v" in script for script in page.inside["script"]) == 1  # brought along, once


def test_it_says_what_the_result_says(tmp_path: Path) -> None:
    found = result()
    page = report(tmp_path, found, parameters={"fast": 2})
    text, figures = shown(page), summary(found)
    assert f"{figures['profit']:,.2f} net profit, rupees" in text
    assert f"{figures['equity']:,.2f} equity at the end, rupees" in text
    assert f"{figures['trades']} trades, flat to flat" in text
    assert "fast 2 · bars · 2026-08-20 to 2026-08-21, 2 days" in text
    assert [tag for tag, _ in page.tags].count("tr") == 1 + len(found.trades)
    assert {attributes.get("id") for tag, attributes in page.tags if tag == "div"} >= {"equity", "days"}


@pytest.mark.parametrize("where", ["strategy", "data", "parameter", "instrument", "error"])
def test_names_are_text_and_never_markup(tmp_path: Path, where: str) -> None:
    found, values = result(), {}
    if where == "strategy":
        values = {"strategy": NASTY}
    elif where == "data":
        values = {"data": tmp_path / NASTY.replace("/", "")}
    elif where == "parameter":
        values = {"parameters": {NASTY: NASTY}}
    elif where == "instrument":
        import msgspec

        trades = [msgspec.structs.replace(one, instrument=NASTY) for one in found.trades]
        found = msgspec.structs.replace(found, trades=trades)
    else:
        found.errors[NASTY] = 3
    plain, page = report(tmp_path, result()), report(tmp_path, found, **values)
    assert [tag for tag, _ in page.tags].count("script") == [tag for tag, _ in plain.tags].count("script")
    assert "evil.example" not in "".join(page.inside["script"])
    assert "evil.example" in "".join(page.text) or where == "data"


def test_denial_codes_are_in_a_plot_and_cannot_end_its_script(tmp_path: Path) -> None:
    found = result(limits=limits(max_daily_trades=1))
    found.denials["</script><b>"] = 1
    page = report(tmp_path, found)
    assert "daily_trades" in "".join(page.inside["script"])
    assert "Denials by code" in shown(page)
    assert [attributes.get("id") for tag, attributes in page.tags if tag == "div"].count("denials") == 1


def test_nothing_happened(tmp_path: Path) -> None:
    page = report(tmp_path, backtest({"told": plan({})}, []))
    assert "No position was opened and closed" in shown(page)
    assert "no day" in shown(page)


def test_many_trades_are_cut_and_it_says_so(tmp_path: Path) -> None:
    found = result()
    import msgspec

    many = msgspec.structs.replace(found, trades=found.trades[:1] * (MOST_TRADES + 5))
    page = report(tmp_path, many)
    assert [tag for tag, _ in page.tags].count("tr") == 1 + MOST_TRADES
    assert "5 more trades are left out here" in shown(page)


@pytest.mark.parametrize("operation", [0])
def test_an_old_report_stays_until_the_new_one_is_whole(tmp_path: Path, operation: int) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    with pytest.raises(Killed), killed_before(operation):
        report(tmp_path, result())
    assert file.read_text() == "old"
    report(tmp_path, result())
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "x").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be written to .*report\.html: Is a directory"):
        report(tmp_path, result())
