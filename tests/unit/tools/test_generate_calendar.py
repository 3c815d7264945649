"""The generated calendar is what library and overlay say, and neither contradicts the other unseen."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from tools import generate_calendar
from tools.calendar_overlay import BadOverlay, read_overlay
from tools.generate_calendar import FOLDER, TARGET, checked_in_holidays, generate, library_holidays
from trading.market.sessions import is_trading_day
from trading.market.sessions.data import HOLIDAYS, SPECIAL

YEARS = (2016, 2026)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of config/calendar, to be spoiled."""
    return shutil.copytree(FOLDER, tmp_path / "calendar")


@pytest.fixture
def library() -> set[date]:
    """The library's closed weekdays."""
    pytest.importorskip("exchange_calendars", reason="exchange-calendars (development extra) is not installed")
    return library_holidays(YEARS)


def edit(folder: Path, file: str, old: str, new: str) -> None:
    """Replace text of a file, which has to be there once."""
    text = (folder / file).read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
    (folder / file).write_text(text.replace(old, new))


def test_the_checked_in_data_is_what_the_overlay_says() -> None:
    assert generate(FOLDER, None) == TARGET.read_text()


def test_the_checked_in_data_is_what_library_and_overlay_say(library: set[date]) -> None:
    assert generate(FOLDER, library) == TARGET.read_text()


def test_trading_days_differ_from_the_librarys_only_by_the_special_sessions(library: set[date]) -> None:
    day, ours_alone, librarys_alone = date(YEARS[0], 1, 1), set(), set()
    while day.year <= YEARS[1]:
        librarys = day.weekday() < 5 and day not in library
        if is_trading_day(day) and not librarys:
            ours_alone.add(day)
        if librarys and not is_trading_day(day):
            librarys_alone.add(day)
        day += timedelta(days=1)
    overlay = read_overlay(FOLDER)
    extra = {one.day for one in overlay.special_sessions if one.day.weekday() >= 5 or one.day in library}
    assert ours_alone == extra
    assert librarys_alone == {day for day, kind in overlay.holidays.differences.items() if kind == "closed"}
    assert {day.isoformat() for day in extra} == SPECIAL.keys() - {"2021-02-24"}  # an ordinary day with other hours


def test_every_holiday_has_a_name() -> None:
    assert "Exchange holiday" not in HOLIDAYS.values()
    assert sum(day.startswith("2026") for day in HOLIDAYS) == 16


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda days: days | {date(2026, 6, 3)}, "the library is closed on 2026-06-03, which has no name"),
        (lambda days: days - {date(2026, 10, 20)}, "the library trades on 2026-10-20; when it is wrong, say so"),
        (lambda days: days - {date(2019, 4, 29)}, "the library trades on 2019-04-29; when it is wrong, say so"),
    ],
)
def test_a_library_that_contradicts_the_overlay_is_refused(
    change: Callable[[set[date]], set[date]], sentence: str
) -> None:
    with pytest.raises(BadOverlay, match=sentence):
        generate(FOLDER, change(checked_in_holidays()))


def test_a_day_of_the_library_before_the_covered_ones_needs_no_name() -> None:
    text = generate(FOLDER, checked_in_holidays() | {date(2019, 6, 3)})
    assert '"2019-06-03": "Exchange holiday",' in text


def test_a_closure_the_library_does_not_know_yet_is_taken_from_the_overlay(folder: Path) -> None:
    edit(folder, "holidays.yaml", "differences: {}", "differences: {2026-12-16: closed}")
    edit(folder, "holidays.yaml", "  2026-12-25:", "  2026-12-16: Election\n  2026-12-25:")
    known = checked_in_holidays()
    assert '"2026-12-16": "Election",' in generate(folder, known)
    assert '"2026-12-16": "Election",' in generate(folder, None)
    with pytest.raises(BadOverlay, match="the library agrees on 2026-12-16 by now"):
        generate(folder, known | {date(2026, 12, 16)})


def test_a_day_on_which_the_library_is_wrongly_closed_is_opened_by_the_overlay(folder: Path) -> None:
    edit(folder, "holidays.yaml", "differences: {}", "differences: {2026-06-03: open}")
    assert generate(folder, checked_in_holidays() | {date(2026, 6, 3)}) == TARGET.read_text()
    with pytest.raises(BadOverlay, match="the library agrees on 2026-06-03 by now"):
        generate(folder, checked_in_holidays())


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("holidays.yaml", "2026-12-25: Christmas", "2026-12-26: Christmas", "2026-12-26 is on a weekend"),
        ("holidays.yaml", "differences: {}", "differences: {2026-12-16: closed}", "needs a name"),
        ("holidays.yaml", "differences: {}", "differences: {2026-12-25: open}", "must have no name"),
        ("holidays.yaml", "differences: {}", "differences: {2026-12-16: shut}", "differences.2026-12-16"),
        ("holidays.yaml", "years:", "year:", "holidays.yaml: years: Field required"),
        ("special_sessions.yaml", "date: 2026-02-01", "date: 2026-02-02", "trades its ordinary hours anyway"),
        ("special_sessions.yaml", "date: 2026-02-01", "date: 2024-02-01", "dates must rise"),
        ("special_sessions.yaml", "13:45-14:45", "14:45-13:45", "ends before it begins"),
        ("special_sessions.yaml", "13:45-14:45", "13:45-24:45", "is not a time like 09:15"),
        ("phases.yaml", "15:28 closing_auction random_end", "15:24 closing_auction random_end", "the times must rise"),
        ("phases.yaml", "15:28 closing_auction random_end", "15:28 closing_auction lottery", "not a valid Stage"),
        ("phases.yaml", "15:28 closing_auction random_end", "15:28 random_end", "is not a time, a phase and a stage"),
        ("phases.yaml", "15:35 closed closed", "15:51 closed closed", "cash_with_derivatives from 2026-08-03"),
        ("phases.yaml", "  options: [derivatives]", "  options: [options]", "has the part options, which does not"),
        ("phases.yaml", "  options: [derivatives]\n", "", "markets must be"),
        ("phases.yaml", "    - from: 2025-12-08", "    - from: 2026-12-08", "futures_pre_open: dates must rise"),
        ("square_off.yaml", 'at: "15:05"', 'at: "15.05"', "'15.05' is not a time like 09:15"),
        (
            "square_off.yaml",
            "minutes_before_last_close: 15",
            "minutes_before_last_close: 0",
            "greater than or equal to 1",
        ),
        ("square_off.yaml", "minutes_before_last_close: 15", "minutes_before_last_close: [", "cannot be read"),
    ],
)
def test_a_mistake_in_the_overlay_is_one_sentence(folder: Path, file: str, old: str, new: str, sentence: str) -> None:
    edit(folder, file, old, new)
    with pytest.raises(BadOverlay) as caught:
        generate(folder, None)
    assert str(caught.value).startswith(file)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_confirmed_revision_can_be_traded_live(folder: Path) -> None:
    text = (folder / "phases.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.strip().startswith("unconfirmed: The hours from")]
    (folder / "phases.yaml").write_text("\n".join(lines))
    assert '"2026-12-07",\n        "2026-12-31"' not in generate(folder, None)
    assert '"2026-12-07",\n        "2026-12-31"' in generate(FOLDER, None)


def test_hours_that_are_not_confirmed_stay_so_when_the_covered_days_begin_later(folder: Path) -> None:
    edit(folder, "holidays.yaml", "  from: 2026-01-01", "  from: 2026-12-15")
    text = generate(folder, None)
    assert '"2026-12-15",\n        "2026-12-31"' in text
    assert '        "2026-11-08",\n' not in text


def test_days_the_library_was_not_asked_for_cannot_be_covered(folder: Path) -> None:
    edit(folder, "holidays.yaml", "  to: 2026-12-31", "  to: 2027-12-31")
    with pytest.raises(BadOverlay, match="covered must lie within years"):
        generate(folder, None)
    edit(folder, "holidays.yaml", "to: 2026}", "to: 2027}")
    with pytest.raises(BadOverlay, match="the library's days of 2027 are not checked in; generate with it"):
        generate(folder, None)


def test_check_fails_when_the_data_has_drifted(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "data.py"
    monkeypatch.setattr(generate_calendar, "PROJECT", tmp_path)
    monkeypatch.setattr(generate_calendar, "FOLDER", folder)
    monkeypatch.setattr(generate_calendar, "TARGET", target)
    monkeypatch.setattr(sys, "argv", ["generate_calendar", "--check", "--without-library"])
    with pytest.raises(SystemExit, match=r"data.py is out of date"):
        generate_calendar.main()
    target.write_text(TARGET.read_text())
    generate_calendar.main()
    edit(folder, "square_off.yaml", 'at: "15:05"', 'at: "15:04"')
    with pytest.raises(SystemExit, match=r"data.py is out of date"):
        generate_calendar.main()
    monkeypatch.setattr(sys, "argv", ["generate_calendar", "--without-library"])
    generate_calendar.main()
    assert '"15:04"' in target.read_text()


def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(BadOverlay, match="exchange-calendars is not installed"):
        library_holidays(YEARS)
