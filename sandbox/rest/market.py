"""The instrument dump, quotes and candles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from models.messages.ticks import Level, Mode, Tick
from sandbox.broker import Broker
from sandbox.candles import MINUTES, Candle, candle_stamp
from sandbox.clock import stamp
from sandbox.errors import invalid
from sandbox.listing import dump
from sandbox.money import number, rupees
from sandbox.rest.answers import success
from trading.market.instruments import Instrument
from trading.market.sessions import IST

MOST_QUOTES, MOST_PRICES = 500, 1_000
DEPTH = 5
NO_LEVEL = Level(0, 0, 0)
LONGEST_DAYS = {
    "minute": 60, "3minute": 100, "5minute": 100, "10minute": 100, "15minute": 200, "30minute": 200,
    "60minute": 400, "day": 2000,
}  # fmt: skip


class MarketEndpoints:
    """/instruments and /quote."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/instruments", self._instruments),
            web.get("/instruments/{exchange}", self._instruments),
            web.get("/instruments/historical/{token}/{interval}", self._historical),
            web.get("/quote", self._quote),
            web.get("/quote/ohlc", self._ohlc),
            web.get("/quote/ltp", self._ltp),
        ]

    async def _instruments(self, request: web.Request) -> web.Response:
        text = dump(self._broker.catalogue, request.match_info.get("exchange"))
        return web.Response(text=text, content_type="text/csv")

    async def _quote(self, request: web.Request) -> web.Response:
        return self._answer(request, MOST_QUOTES, self._full)

    async def _ohlc(self, request: web.Request) -> web.Response:
        return self._answer(request, MOST_PRICES, _ohlc_body)

    async def _ltp(self, request: web.Request) -> web.Response:
        return self._answer(request, MOST_PRICES, _ltp_body)

    def _answer(
        self, request: web.Request, most: int, body: Callable[[Instrument, Tick | None], dict[str, Any]]
    ) -> web.Response:
        """An instrument that is not known is missing in the answer."""
        keys = request.query.getall("i", [])
        if len(keys) > most:
            raise invalid(f"Too many instruments: at most {most} in one request.")
        found = {key: self._broker.catalogue.by_key(key) for key in keys}
        return success({key: body(one, self._broker.board.last(one)) for key, one in found.items() if one is not None})

    def _full(self, instrument: Instrument, tick: Tick | None) -> dict[str, Any]:
        low, high = self._broker.board.circuit_limits(instrument)
        known = tick or _no_tick(instrument)
        change = known.last_price_units - known.close_units
        return {
            "instrument_token": instrument.instrument_token,
            "timestamp": stamp(known.exchange_time or self._broker.clock.now),
            "last_trade_time": stamp(known.last_trade_time) if known.last_trade_time else None,
            "last_price": rupees(known.last_price_units),
            "last_quantity": known.last_quantity,
            "buy_quantity": known.total_buy_quantity,
            "sell_quantity": known.total_sell_quantity,
            "volume": known.volume,
            "average_price": rupees(known.average_price_units),
            "oi": known.oi,
            "oi_day_high": known.oi_day_high,
            "oi_day_low": known.oi_day_low,
            "net_change": rupees(change),
            "lower_circuit_limit": rupees(low),
            "upper_circuit_limit": rupees(high),
            "ohlc": _prices(known),
            "depth": {"buy": _levels(known.buy), "sell": _levels(known.sell)},
        }

    async def _historical(self, request: web.Request) -> web.Response:
        token, interval = request.match_info["token"], request.match_info["interval"]
        if interval not in MINUTES:
            raise invalid("Invalid `interval`.")
        first, last = _moment(request, "from"), _moment(request, "to")
        if first > last:
            raise invalid("`from` is after `to`.")
        if last - first > timedelta(days=LONGEST_DAYS[interval]):
            raise invalid(f"Interval exceeds the longest range of {LONGEST_DAYS[interval]} days.")
        if not token.isdigit() or self._broker.catalogue.by_token(int(token)) is None:
            raise invalid("Invalid `instrument_token`.")
        candles = self._broker.board.candles.intervals(int(token), interval)
        with_oi = request.query.get("oi") == "1"
        from_second, to_second = first.timestamp(), last.timestamp()
        return success({"candles": [_row(one, with_oi) for one in candles if from_second <= one.start <= to_second]})


def _no_tick(instrument: Instrument) -> Tick:
    """What is quoted of an instrument that has not traded."""
    return Tick(instrument.instrument_token, 0, Mode.FULL, instrument.is_tradable, 0)


def _prices(tick: Tick) -> dict[str, Any]:
    return {
        "open": rupees(tick.open_units),
        "high": rupees(tick.high_units),
        "low": rupees(tick.low_units),
        "close": rupees(tick.close_units),
    }


def _ltp_body(instrument: Instrument, tick: Tick | None) -> dict[str, Any]:
    price = tick.last_price_units if tick else 0
    return {"instrument_token": instrument.instrument_token, "last_price": rupees(price)}


def _ohlc_body(instrument: Instrument, tick: Tick | None) -> dict[str, Any]:
    return _ltp_body(instrument, tick) | {"ohlc": _prices(tick or _no_tick(instrument))}


def _levels(levels: Sequence[Level]) -> list[dict[str, Any]]:
    five = [*levels[:DEPTH], *[NO_LEVEL] * (DEPTH - len(levels))]
    return [{"price": rupees(one.price_units), "quantity": one.quantity, "orders": one.orders} for one in five]


def _moment(request: web.Request, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(request.query.get(name, ""))
    except ValueError:
        raise invalid(f"Invalid `{name}` date.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=IST)


def _row(one: Candle, with_oi: bool) -> list[Any]:
    prices = [rupees(price) for price in (one.open, one.high, one.low, one.close)]
    return [candle_stamp(one.start), *prices, one.volume, *([number(one.oi)] if with_oi else [])]
