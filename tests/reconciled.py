"""Our side of a live account beside the sandbox exchange: orders sent through the real client, reports taken in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

from msgspec.structs import replace

from agents.live.poller import compare as read_reports
from brokers.answers import Taken
from brokers.zerodha.client import Endpoint, ZerodhaClient
from brokers.zerodha.mapping import order_fields
from brokers.zerodha.portfolio import read_book
from models.messages import ids
from models.messages.orders import OrderStatus, OrderType, OrderUpdate, PlannedOrder, Product
from tests.exchange import Exchange
from tests.factories import order as planned
from trading.accounting.account import apply_fill, new_account
from trading.accounting.day import roll_day
from trading.accounting.position import Position, position_key
from trading.market.sessions import session_start, trading_day
from trading.orders.state import OrderRecord, fold, submitted
from trading.reconciliation.book import BrokerBook
from trading.reconciliation.difference import Difference, Readings, Tolerances
from trading.reconciliation.reconciler import Event, Reconciler

S = OrderStatus
CASH = Decimal(10_000_000)
PATIENCE = 20  # seconds after which an order without an answer is given up
TOLERANCES = Tolerances()
YESTERDAY = "2026-08-19"
PASSED = 5  # seconds: more than the grace


class Desk:
    """One account: what we believe of it, and the exchange that has it."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.kite = exchange.client()
        endpoint = Endpoint(exchange.root, self.kite.api_key, lambda: str(self.kite.access_token))
        self.client = ZerodhaClient(endpoint)
        self.records: dict[str, OrderRecord] = {}
        self.account = new_account("zerodha:main", CASH)
        self.account.day = trading_day(self.now).isoformat()
        self.reconciler = Reconciler(tolerances=TOLERANCES)
        self._numbers = count(1)

    @property
    def now(self) -> int:
        """The exchange's time; it moves only when it is told to."""
        return int(self.exchange.sandbox.broker.clock.now)

    @property
    def kinds(self) -> list[str]:
        """Of what is open."""
        return sorted(one.kind.value for one in self.open)

    @property
    def open(self) -> list[Difference]:
        """What is open."""
        return [one.difference for one in self.reconciler.state.open.values()]

    def plan(self, symbol: str, price: str, **values: Any) -> PlannedOrder:
        """A limit order to buy 10, intraday."""
        order_id = ids.order_id("reconciled", next(self._numbers))
        key = f"NSE:{symbol}"
        own = {"order_id": order_id, "tag": ids.order_tag(order_id), "instrument": key, "event_time": self.now}
        own |= {"order_type": OrderType.LIMIT, "limit_price": Decimal(price), "product": Product.MIS}
        return planned(**(own | values))

    def know(self, order: PlannedOrder, **values: Any) -> OrderRecord:
        """Record an order, as one that was attempted unless told otherwise."""
        record = replace(submitted(order), **{"attempted_at": self.now, **values})
        self.records[order.tag] = record
        return record

    def change(self, order: PlannedOrder, **values: Any) -> None:
        """Believe something else of an order."""
        self.records[order.tag] = replace(self.records[order.tag], **values)

    async def send(self, symbol: str, price: str, **values: Any) -> PlannedOrder:
        """Send an order with the real client, and take in the answer."""
        order = self.plan(symbol, price, **values)
        self.know(order)
        answer = await self.client.place("regular", order_fields(order))
        status = S.WORKING if isinstance(answer, Taken) else S.UNKNOWN
        number = answer.broker_order_id if isinstance(answer, Taken) else ""
        self.take_in([self.report(order, status, broker_order_id=number)])
        return order

    def report(self, order: PlannedOrder, status: OrderStatus, quantity: int = 0, **values: Any) -> OrderUpdate:
        """What somebody says of an order."""
        known: dict[str, Any] = {"broker_order_id": "", "average_price": Decimal(0), "reporter": "test"}
        known |= {"order_id": order.order_id, "status": status, "cumulative_quantity": quantity}
        return OrderUpdate(**(known | {"event_time": self.now} | values))

    def take_in(self, reports: Iterable[OrderUpdate]) -> None:
        """Fold reports and book their fills, as the engine and the portfolio do."""
        tags = {one.order.order_id: tag for tag, one in self.records.items()}
        for report in reports:
            folded = fold(self.records[tags[report.order_id]], report)
            self.records[tags[report.order_id]] = folded.record
            for filled in folded.fills:
                instrument = self.exchange.sandbox.broker.catalogue.by_key(filled.order.instrument)
                assert instrument is not None
                apply_fill(self.account, filled, instrument)

    async def catch_up(self) -> None:
        """Read the broker's book as the poller does."""
        rows = await self.client.orders()
        seen = read_reports(rows, self.records, asked_at=self.now, now=self.now, patience_seconds=PATIENCE)
        self.take_in(seen.reports)

    def number(self, order: PlannedOrder) -> str:
        """The broker's number of one of our orders."""
        return self.records[order.tag].broker_order_id

    def by_hand(self, symbol: str, side: str = "BUY", **values: Any) -> str:
        """An order of another source; its number."""
        given = {"exchange": "NSE", "tradingsymbol": symbol, "transaction_type": side, "quantity": 10}
        given |= {"product": "MIS", "order_type": "MARKET", "market_protection": -1}
        return str(self.exchange.ask("POST", "/orders", given | values)["order_id"])

    def copy_by_hand(self, order: PlannedOrder, **values: Any) -> str:
        """The same order, with our tag, from elsewhere."""
        return str(self.exchange.ask("POST", "/orders", order_fields(order) | values)["order_id"])

    def hold(self, symbol: str, quantity: int, *, product: Product, price: int, t1_quantity: int = 0) -> None:
        """Believe in something carried over night, as an account does after its day roll."""
        key = f"NSE:{symbol}"
        self.account.positions[position_key("momentum", key, product)] = Position(
            strategy="momentum", instrument=key, instrument_token=1, product=product,
            quantity=quantity, overnight_quantity=quantity, t1_quantity=t1_quantity, bought_on=YESTERDAY,
            cost=Decimal(quantity * price), overnight_cost=Decimal(quantity * price),
            overnight_worth=Decimal(quantity * price),
        )  # fmt: skip

    def pass_time(self, seconds: float = PASSED) -> None:
        """Move the exchange's clock."""
        self.exchange.ask("POST", "/clock", {"seconds": seconds})

    def sleep(self, day: date) -> None:
        """Until the market opens on another day: the session is over, books are rolled, orders are forgotten."""
        self.pass_time(session_start(day) - self.now)
        self.kite = self.exchange.client()
        assert roll_day(self.account, day)
        self.records.clear()

    async def look(self) -> tuple[Event, ...]:
        """Read both sides with the real client, and compare."""
        book = read_book(
            orders=await self.client.orders(),
            trades=await self.client.trades(),
            positions=await self.client.positions(),
            holdings=await self.client.holdings(),
            funds=await self.client.funds(),
        )
        return self.reconciler.step(self.beside(book), self.now)

    def beside(self, broker: BrokerBook) -> Readings:
        """Our side, and one reading of the other."""
        return Readings(orders=self.records, account=self.account, broker=broker)

    async def settle(self) -> list[Event]:
        """Look until everything in motion has counted."""
        events: list[Event] = []
        for _ in range(2):
            self.pass_time()
            events += await self.look()
        return events
