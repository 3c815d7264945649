"""`alpha-panda calendar`: a day's phases, from the dated data alone."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faust_app.commands.output import AsJson, run, show, to_json
from faust_app.runtime.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from trading.market.instruments import Instrument
    from trading.market.sessions import Market

COLUMNS = ("from", "until", "phase", "stage", "orders")
EXCHANGES = ("NSE", "BSE", "NFO", "BFO")
FIRST_YEAR, LAST_YEAR = 1970, 2199
MEANINGS = {
    "cash": "stocks without derivatives, indices",
    "cash_with_derivatives": "stocks with a future or option",
    "futures": "futures",
    "options": "options",
    "expiring_index_futures": "index futures on their last day",
    "expiring_index_options": "index options on their last day",
}
ORDERS = {
    "entry": "limit and market",
    "limit_entry": "limit only; market orders cannot be changed",
    "random_end": "as before, until the exchange ends it at random",
    "reference": "none: the reference price is made",
    "matching": "none: orders are matched",
    "buffer": "none",
    "continuous": "all",
    "closing_price": "at the closing price",
    "closed": "none",
}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def calendar(
        day: Annotated[str | None, typer.Argument(metavar="DATE", help="YYYY-MM-DD; default: today in IST.")] = None,
        instrument: Annotated[
            str | None, typer.Option(help="Only the phases of EXCHANGE:TRADINGSYMBOL on NSE, BSE, NFO or BFO.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Whether and when a day trades: phases, square-off of intraday positions, neighbouring trading days.

        Times are IST; a phase holds from its first second until the next begins. A holiday says what for, a special
        session which. Live trading is refused on days the dated data in config/calendar does not confirm. Needs no
        running stack; with one, an instrument is looked up in the loaded instruments. Example: alpha-panda calendar
        2026-12-08 --instrument NSE:RELIANCE
        """
        on = _date(day)
        judged = None if instrument is None else _judge(instrument.strip(), on)
        result = _result(on, judged)
        if as_json:
            typer.echo(to_json(result))
        else:
            _show(result)


def _date(text: str | None) -> date:
    from trading.market.sessions import IST

    if text is None:
        return datetime.now(IST).date()
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a date like 2026-11-20") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ConfigurationError(f"{found} is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return found


def _judge(key: str, on: date) -> tuple[str, Market, str]:
    """(key, market, how it was judged). Raises ConfigurationError for what cannot be an instrument of the calendar."""
    from trading.market.instruments import is_key
    from trading.market.sessions import market_of

    exchange, _, symbol = key.partition(":")
    if not is_key(key):
        raise ConfigurationError(f"{key!r} is not EXCHANGE:TRADINGSYMBOL, for example NSE:INFY")
    if exchange not in EXCHANGES:
        raise ConfigurationError(f"The calendar knows {', '.join(EXCHANGES)}; {exchange} is not in it")
    by_name, taken_for = _judge_by_name(key, exchange, symbol)
    found, missing = _look_up(key)
    if found is None:
        return key, by_name, f"taken for {taken_for} ({missing})"
    expired = f"; it expired on {found.expiry}" if found.expiry is not None and found.expiry < on else ""
    return key, market_of(found, on), f"as the loaded instruments have it{expired}"


def _judge_by_name(key: str, exchange: str, symbol: str) -> tuple[Market, str]:
    from trading.market.sessions import Market

    if exchange in ("NSE", "BSE"):
        return Market.CASH_WITH_DERIVATIVES, "a stock with derivatives, whose continuous trading ends first"
    if symbol.endswith("FUT"):
        return Market.FUTURES, "a future that does not expire on this day"
    if symbol.endswith(("CE", "PE")):
        return Market.OPTIONS, "an option that does not expire on this day"
    raise ConfigurationError(f"{key} is no derivative: the name of one ends in FUT, CE or PE")


def _look_up(key: str) -> tuple[Instrument | None, str]:
    """The loaded instrument, or why there is none."""
    import asyncpg

    from faust_app.runtime.instrument_load import find_listings
    from faust_app.runtime.settings import settings

    try:
        found = run(find_listings(settings(), key))
    except (ConfigurationError, TransientError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None, "no loaded instruments at hand"
    return (found[0].instrument, "") if found else (None, "not among the loaded instruments")


def _result(on: date, judged: tuple[str, Market, str] | None) -> dict[str, Any]:
    from trading.market import sessions

    kind, name = sessions.day_kind(on)
    markets = list(sessions.Market) if judged is None else [judged[1]]
    return {
        "date": on.isoformat(),
        "weekday": sessions.WEEKDAYS[on.weekday()],
        "kind": kind.value,
        "name": name if kind in (sessions.DayKind.HOLIDAY, sessions.DayKind.SPECIAL) else None,
        "is_trading_day": sessions.is_trading_day(on),
        "is_confirmed": sessions.is_covered(on),
        "live_refusal": sessions.live_refusal(on),
        "previous_trading_day": sessions.previous_trading_day(on).isoformat(),
        "next_trading_day": sessions.next_trading_day(on).isoformat(),
        "instrument": None if judged is None else {"key": judged[0], "judged": judged[2]},
        "markets": [_market(market, on) for market in markets],
    }


def _market(market: Market, on: date) -> dict[str, Any]:
    from trading.market import sessions

    flat = sessions.square_off_second(market, on)
    return {
        "market": market.value,
        "meaning": MEANINGS[market.value],
        "square_off": None if flat is None else _clock(flat),
        "phases": [
            {
                "from": _clock(part.start),
                "until": _clock(part.until),
                "phase": part.phase.value,
                "stage": part.stage.value,
                "orders": ORDERS[part.stage.value],
            }
            for part in sessions.market_intervals(market, on)
        ],
        "notes": sessions.notes_on(market, on),
    }


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}"


def _show(result: dict[str, Any]) -> None:
    typer.echo(_headline(result))
    typer.echo(f"Trading days before and after: {result['previous_trading_day']}, {result['next_trading_day']}")
    if result["live_refusal"]:
        typer.echo(f"Live trading is refused: {result['live_refusal']}")
    if result["instrument"]:
        typer.echo("{key}: {judged}".format_map(result["instrument"]))
    if result["is_trading_day"]:
        for markets in _alike(result["markets"]):
            _show_market(markets)


def _headline(result: dict[str, Any]) -> str:
    day = f"{result['weekday']} {result['date']}"
    match result["kind"]:
        case "regular":
            return f"{day}: a regular trading day"
        case "special":
            return f"{day}: special session, {result['name']}"
        case "holiday":
            return f"{day}: closed, {result['name']}"
        case _:
            return f"{day}: closed, weekend"


def _alike(markets: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Markets with the same day together."""
    groups: list[list[dict[str, Any]]] = []
    for market in markets:
        same = ("phases", "square_off", "notes")
        group = next((one for one in groups if all(one[0][name] == market[name] for name in same)), None)
        if group is None:
            groups.append([market])
        else:
            group.append(market)
    return groups


def _show_market(markets: list[dict[str, Any]]) -> None:
    first = markets[0]
    typer.echo()
    typer.echo("; ".join(f"{one['meaning']} ({one['market']})" for one in markets))
    open_rows = [row for row in first["phases"] if row["phase"] != "closed"]
    show(open_rows, COLUMNS, as_json=False, empty="")
    typer.echo(f"Intraday (MIS) positions flat by {first['square_off']}")
    for note in first["notes"]:
        typer.echo(f"Note: {note}")
