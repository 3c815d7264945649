"""One reading of a broker's books, in nobody's dialect: each broker's package fills these from its own rows.

Prices and amounts in rupees, quantities in units, times in epoch seconds (0 for none). Words of closed sets stay text:
a broker may have sides and products that we do not.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from models.messages.orders import OrderStatus, Side

ZERO = Decimal(0)


class Area(StrEnum):
    """What is read from a broker in one call."""

    ORDERS = "orders"
    TRADES = "trades"
    POSITIONS = "positions"
    HOLDINGS = "holdings"
    FUNDS = "funds"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that concerns one instrument."""

    exchange: str
    tradingsymbol: str

    @property
    def instrument(self) -> str:
        """Its key, as in `NSE:INFY`."""
        return f"{self.exchange}:{self.tradingsymbol}"


class BrokerOrder(Listed, frozen=True, kw_only=True):
    """An order as the broker's book has it.

    `is_pending` while the order, or a change of it, is on its way to the exchange; `asked_at` is when the last request
    came in, `updated_at` when anything was last said of it.
    """

    broker_order_id: str
    tag: str
    variety: str
    instrument_token: int
    side: str
    product: str
    order_type: str
    status: OrderStatus
    unknown_status: str
    quantity: int
    filled_quantity: int
    average_price: Decimal
    reason: str
    updated_at: int
    limit_price: Decimal
    trigger_price: Decimal
    is_pending: bool
    asked_at: int

    @property
    def signed_fill(self) -> int:
        """What it has done to its position, units."""
        return sign_of(self.side) * self.filled_quantity

    @property
    def changed_at(self) -> int:
        """The last time of any kind."""
        return max(self.updated_at, self.asked_at)


class BrokerTrade(Listed, frozen=True, kw_only=True):
    """One execution."""

    trade_id: str
    broker_order_id: str
    side: str
    product: str
    quantity: int
    price: Decimal
    traded_at: int


class BrokerPosition(Listed, frozen=True, kw_only=True):
    """The net position in an instrument and product; negative for short. Deliveries are here on the day they trade."""

    product: str
    quantity: int
    overnight_quantity: int
    average_price: Decimal


class BrokerHolding(Listed, frozen=True, kw_only=True):
    """Delivery shares held over night; of `quantity`, `t1_quantity` are not settled yet."""

    quantity: int
    t1_quantity: int
    average_price: Decimal


class BrokerFunds(msgspec.Struct, frozen=True, kw_only=True):
    """What can be used for trading: `net` of everything that is blocked, `collateral` in it against pledged shares."""

    net: Decimal
    cash: Decimal
    collateral: Decimal

    @property
    def usable(self) -> Decimal:
        """Without collateral, rupees."""
        return self.net - self.collateral


class UnreadRow(msgspec.Struct, frozen=True):
    """A row that makes no sense, and why."""

    area: Area
    problem: str


class BrokerBook(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read at about one time; None for what could not be asked. `unread` rows are in no tuple."""

    orders: tuple[BrokerOrder, ...] | None = None
    trades: tuple[BrokerTrade, ...] | None = None
    positions: tuple[BrokerPosition, ...] | None = None
    holdings: tuple[BrokerHolding, ...] | None = None
    funds: BrokerFunds | None = None
    unread: tuple[UnreadRow, ...] = ()

    def has_all(self, area: Area) -> bool:
        """True when every row of an area was read: only then does a missing row mean anything."""
        return getattr(self, area.value) is not None and all(row.area is not area for row in self.unread)


def sign_of(side: str) -> int:
    """+1 for a buy, -1 for a sell, 0 for what is neither."""
    return Side(side).sign if side in tuple(Side) else 0
