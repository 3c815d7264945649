"""`config/calendar` as it is written, checked: every problem is a sentence with the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from trading.market.phases import Market, Phase, parse_row, second_of_day


class _Loader(yaml.SafeLoader):
    """Leaves dates to the models, whose messages then name them as they are written."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base class has it so
        first: [one for one in found if one[0] != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class BadOverlay(Exception):
    """A file of `config/calendar` cannot be used; the message is a sentence."""


def _checked_rows(text: str) -> str:
    rows = [parse_row(line) for line in text.splitlines()]
    if any(later[0] <= earlier[0] for earlier, later in pairwise(rows)):
        raise ValueError("the times must rise")
    return text


def _checked_clock(text: str) -> str:
    second_of_day(text)
    return text


def _checked_period(text: str) -> str:
    begin, _, end = text.partition("-")
    if second_of_day(begin) >= second_of_day(end):
        raise ValueError(f"{text!r} ends before it begins")
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Span(_Strict):
    """Dates, both included."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    source: str


class Years(_Strict):
    """Years the library is asked for."""

    first: int = Field(alias="from")
    last: int = Field(alias="to")


class Holidays(_Strict):
    """holidays.yaml."""

    years: Years
    covered: Span
    differences: dict[date, Literal["closed", "open"]]
    holidays: dict[date, str]


class SpecialSession(_Strict):
    """One day of special_sessions.yaml; without `continuous` it has its date's ordinary phases."""

    day: date = Field(alias="date")
    name: str
    continuous: list[Annotated[str, AfterValidator(_checked_period)]] = []
    source: str
    unconfirmed: str = ""


class Dated(_Strict):
    """Something that holds from a date on."""

    first: date = Field(alias="from")
    source: str
    note: str = ""


class Part(Dated):
    """One version of a part of the day."""

    unconfirmed: str = ""
    day: Annotated[str, AfterValidator(_checked_rows)]


class Phases(_Strict):
    """phases.yaml."""

    markets: dict[Market, list[str]]
    index_underlyings: list[str]
    parts: dict[str, list[Part]]


class SquareOffTime(Dated):
    """The time that holds from a date on."""

    at: Annotated[str, AfterValidator(_checked_clock)]


class SquareOff(_Strict):
    """square_off.yaml."""

    minutes_before_last_close: int = Field(ge=1, le=60)
    markets: dict[Literal["cash", "cash_with_derivatives", "derivatives"], list[SquareOffTime]]


class Overlay(_Strict):
    """The whole folder."""

    holidays: Holidays
    special_sessions: list[SpecialSession]
    phases: Phases
    square_off: SquareOff


def read_overlay(folder: Path) -> Overlay:
    """The checked files of a folder. Raises BadOverlay."""
    overlay = Overlay(
        holidays=_read(folder / "holidays.yaml", Holidays),
        special_sessions=_read(folder / "special_sessions.yaml", list[SpecialSession]),
        phases=_read(folder / "phases.yaml", Phases),
        square_off=_read(folder / "square_off.yaml", SquareOff),
    )
    for problem in _problems(overlay):
        raise BadOverlay(problem)
    return overlay


def _read(file: Path, kind: Any) -> Any:
    try:
        written = yaml.load(file.read_text(), _Loader)  # noqa: S506 - a safe loader
        return TypeAdapter(kind).validate_python(written)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadOverlay(f"{file.name}: {where}: {first['msg']}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadOverlay(f"{file.name} cannot be read: {' '.join(str(error).split())}") from error


def _problems(overlay: Overlay) -> Iterator[str]:
    yield from _problems_of_days(overlay)
    phases, begin = overlay.phases, date(overlay.holidays.years.first, 1, 1)
    if set(phases.markets) != set(Market):
        yield f"phases.yaml: markets must be {', '.join(Market)}"
    dated: dict[str, list[Any]] = {f"phases.yaml: parts.{name}": rows for name, rows in phases.parts.items()}
    dated |= {f"square_off.yaml: markets.{name}": times for name, times in overlay.square_off.markets.items()}
    for name, rows in dated.items():
        dates = [row.first for row in rows]
        if not dates or dates[0] != begin or dates != sorted(set(dates)):
            yield f"{name}: dates must rise from {begin}"
    for market, names in phases.markets.items():
        yield from _problems_of_market(phases, market, names)


def _problems_of_days(overlay: Overlay) -> Iterator[str]:
    holidays = overlay.holidays
    years, covered = holidays.years, holidays.covered
    if (
        not years.first <= covered.first.year
        or not covered.first <= covered.last
        or not covered.last.year <= years.last
    ):
        yield "holidays.yaml: covered must lie within years"
    for day in holidays.holidays:
        if day.weekday() >= 5:
            yield f"holidays.yaml: {day} is on a weekend"
    for day, kind in holidays.differences.items():
        if (kind == "closed") is not (day in holidays.holidays):
            name = "needs a name" if kind == "closed" else "must have no name"
            yield f"holidays.yaml: {day} is {kind} in differences, so it {name} in holidays"
    days = [session.day for session in overlay.special_sessions]
    if days != sorted(set(days)):
        yield "special_sessions.yaml: dates must rise"
    for session in overlay.special_sessions:
        trades_anyway = session.day.weekday() < 5 and session.day not in holidays.holidays
        if trades_anyway and not session.continuous:
            yield f"special_sessions.yaml: {session.day} trades its ordinary hours anyway"


def _problems_of_market(phases: Phases, market: Market, names: list[str]) -> Iterator[str]:
    unknown = [name for name in names if name not in phases.parts]
    if unknown:
        yield f"phases.yaml: {market} has the part {unknown[0]}, which does not exist"
        return
    for day in sorted({row.first for name in names for row in phases.parts[name]}):
        lines = [line for name in names for line in _in_force(phases.parts[name], day).day.splitlines()]
        rows = [parse_row(line) for line in lines]
        rising = all(later[0] > earlier[0] for earlier, later in pairwise(rows))
        if not rising or not rows or rows[-1][1] is not Phase.CLOSED:
            yield f"phases.yaml: {market} from {day}: times must rise, and the day must end closed"


def _in_force(versions: list[Part], day: date) -> Part:
    return [one for one in versions if one.first <= day][-1]
