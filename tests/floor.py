"""The sandbox's broker without HTTP: a few instruments, a clock moved by hand, every order update kept."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

from models.messages.ticks import Level, to_units
from sandbox.board import tick_at
from sandbox.broker import Broker
from sandbox.clock import Clock
from sandbox.faults import Fault
from sandbox.order_form import read_changes, read_order
from sandbox.orders import Order, Trade
from sandbox.positions import Position
from sandbox.scenario import Scenario
from sandbox.vocabulary import Product
from trading.market.instruments import Instrument
from trading.market.sessions import session_start

DAY = date(2026, 8, 20)
OPENING = session_start(DAY)
NO_LIMITS = {"limits": {"enabled": False}}


def listed(symbol: str, number: int, **changes: Any) -> Instrument:
    """An NSE equity, unless `changes` say otherwise."""
    known = {
        "instrument_token": number * 256 + 1, "exchange_token": number, "exchange": "NSE", "tradingsymbol": symbol,
        "name": symbol, "segment": "NSE", "instrument_type": "EQ", "tick_size": Decimal("0.05"), "lot_size": 1,
    }  # fmt: skip
    return Instrument(**(known | changes))


CONTRACT = {"exchange": "NFO", "lot_size": 65, "expiry": date(2026, 8, 25), "name": "NIFTY"}
LISTED = (
    listed("INFY", 1),
    listed("TCS", 2),
    listed("SLOW-BE", 3),
    listed("NIFTY 50", 4, segment="INDICES", tick_size=Decimal(0), lot_size=0),
    listed("NIFTY26AUGFUT", 5, segment="NFO-FUT", instrument_type="FUT", **CONTRACT),
    listed("NIFTY26AUG24000CE", 6, segment="NFO-OPT", instrument_type="CE", strike=Decimal(24000), **CONTRACT),
)
Levels = list[tuple[float, int]]


class Floor:
    """Calls as a client makes them, answers as the broker keeps them."""

    def __init__(self, **settings: Any) -> None:
        self.now = 1_000.0
        self.sent: list[dict[str, Any]] = []
        self.clock = Clock(float(OPENING))
        scenario = Scenario.model_validate(settings)
        self.broker = Broker(LISTED, self.clock, scenario, self._send, lambda: self.now)

    async def _send(self, text: str) -> None:
        self.sent.append(json.loads(text)["data"])

    def instrument(self, symbol: str) -> Instrument:
        return next(one for one in LISTED if one.tradingsymbol == symbol)

    def tick(
        self, price: float, symbol: str = "INFY", *, buy: Levels | None = None, sell: Levels | None = None
    ) -> None:
        """Another last price; the book is one tick size round it unless levels are given."""
        one = self.instrument(symbol)
        book = None if buy is None and sell is None else (_levels(buy or []), _levels(sell or []))
        before = self.broker.board.last(one)
        self.broker.on_ticks([tick_at(one, to_units(Decimal(str(price))), int(self.clock.now), before, book)])

    def place(self, side: str = "BUY", quantity: int = 10, price: float = 0, **fields: Any) -> Order:
        """A limit order when there is a price, a protected market order otherwise."""
        given = {"exchange": "NSE", "tradingsymbol": "INFY", "product": "MIS"}
        given |= {"transaction_type": side, "quantity": str(quantity)}
        given |= {"order_type": "LIMIT", "price": str(price)} if price else MARKET
        given |= {name: str(value) for name, value in fields.items()}
        terms = read_order(given, given.pop("variety", "regular"), self.broker.catalogue)
        return self.broker.desk.place(terms)

    def modify(self, order: Order, **fields: Any) -> None:
        given = {name: str(value) for name, value in fields.items()}
        self.broker.changes.modify(order, lambda known: read_changes(given, known))

    def cancel(self, order: Order) -> None:
        self.broker.changes.cancel(order)

    def fault(self, kind: str, **settings: Any) -> None:
        self.broker.faults.switch_on(Fault.model_validate({"kind": kind, **settings}))

    def statuses(self, order: Order) -> list[str]:
        """Every state, in order."""
        return [one.status.value for one in self.broker.book.history(order.order_id)]

    def trades(self, order: Order) -> list[tuple[float, int]]:
        """Price in rupees and quantity of each execution."""
        return [_plain(one) for one in self.broker.book.trades(order.order_id)]

    def position(self, symbol: str = "INFY", product: str = "MIS") -> Position:
        return self.broker.account.position(self.instrument(symbol), Product(product))

    async def updates(self) -> list[tuple[str, int]]:
        """Status and filled quantity of the order updates since the last look."""
        await self.broker.updates.flush()
        found = [(one["status"], one["filled_quantity"]) for one in self.sent]
        self.sent.clear()
        return found


MARKET = {"order_type": "MARKET", "market_protection": "-1"}


def _plain(trade: Trade) -> tuple[float, int]:
    return trade.price / 10_000, trade.quantity


def _levels(levels: Levels) -> list[Level]:
    return [Level(to_units(Decimal(str(price))), quantity, 1) for price, quantity in levels]


__all__ = ["DAY", "LISTED", "MARKET", "NO_LIMITS", "OPENING", "Floor", "listed"]
