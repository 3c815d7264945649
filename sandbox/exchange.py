"""The exchange: orders that rest by instrument, matched with every tick of theirs. Other ticks cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.messages.ticks import Tick, to_units
from sandbox.account import Account
from sandbox.board import Board
from sandbox.clock import Clock
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.matching import AUTOMATIC, Fill, Liquidity, automatic_percent, is_triggered, protected_price
from sandbox.orders import Order, OrderBook
from sandbox.updates import Updates
from sandbox.vocabulary import STOPS, UNPRICED, OrderType, Status, Validity, Variety
from trading.market.instruments import Instrument
from trading.market.phases import Phase
from trading.market.sessions import phase


class Exchange:
    """Takes orders in, matches, triggers and expires them. `on_fill` hears of every order that has traded.

    One order is matched at a time, in the order of arrival, with the book of the instrument's last tick less what our
    own fills took from it. Own orders never trade with each other.
    """

    def __init__(
        self, clock: Clock, board: Board, book: OrderBook, account: Account, updates: Updates, faults: Faults,
        *, session_hours: bool,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._board = board
        self._book = book
        self._account = account
        self._updates = updates
        self._faults = faults
        self._session_hours = session_hours
        self._resting: dict[int, list[Order]] = {}
        self._liquidity = Liquidity()
        self.on_fill: Callable[[Order], None] = lambda _: None

    def phase(self, instrument: Instrument) -> Phase:
        """What the exchange does with an instrument now."""
        return phase(instrument, int(self._clock.now)) if self._session_hours else Phase.CONTINUOUS

    def enter(self, order: Order) -> None:
        """An order arrives: a stop waits for its trigger, anything else trades with the book and then rests."""
        terms = order.terms
        self._book.reach_exchange(order)
        self._resting.setdefault(terms.instrument.instrument_token, []).append(order)
        if terms.order_type in STOPS:
            self._book.move(order, Status.TRIGGER_PENDING)
            return
        self.price(order)
        self._book.move(order, Status.OPEN)
        self.match(order)
        if terms.validity is Validity.IOC and not order.has_ended:
            self.cancel(order)

    def price(self, order: Order) -> None:
        """A protected market order becomes a limit order at its protection price."""
        terms, last = order.terms, self._board.last_price(order.terms.instrument)
        if terms.order_type not in UNPRICED or not last:
            return
        percent = terms.market_protection
        if percent == AUTOMATIC:
            percent = automatic_percent(terms.instrument.instrument_type, last)
        terms.order_type = OrderType.LIMIT
        terms.price = protected_price(terms.side, last, percent, to_units(terms.instrument.tick_size))

    def leave(self, order: Order) -> None:
        """The order no longer rests."""
        token = order.terms.instrument.instrument_token
        orders = self._resting.get(token, [])
        if order in orders:
            orders.remove(order)
        if not orders:
            self._resting.pop(token, None)

    def cancel(self, order: Order, message: str | None = None) -> None:
        """End an order; what has traded stays traded."""
        self.leave(order)
        order.cancelled_quantity = order.pending_quantity
        self._book.move(order, Status.CANCELLED, message)
        self._updates.publish(order, Status.CANCELLED)

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Match what rests in the instruments that ticked. The board has the ticks already."""
        if not self._resting:
            return
        for tick in ticks:
            if tick.instrument_token in self._resting:
                for order in list(self._resting[tick.instrument_token]):
                    self._on_tick(order, tick)

    def _on_tick(self, order: Order, tick: Tick) -> None:
        if self.phase(order.terms.instrument) is not Phase.CONTINUOUS:
            return
        if order.status is Status.TRIGGER_PENDING:
            self._trigger(order, tick)
        elif order.status is Status.OPEN:
            self.match(order, tick, resting=True)

    def _trigger(self, order: Order, tick: Tick) -> None:
        terms = order.terms
        if is_triggered(terms.side, terms.trigger_price, tick.last_price_units):
            self.price(order)
            self._book.move(order, Status.OPEN)
            self._updates.publish(order, Status.UPDATE)
            self.match(order, tick)

    def match(self, order: Order, tick: Tick | None = None, *, resting: bool = False) -> None:
        """Trade as much of an order as the book allows."""
        terms = order.terms
        tick = tick or self._board.last(terms.instrument)
        if tick is None or terms.variety is Variety.AUCTION or self.phase(terms.instrument) is not Phase.CONTINUOUS:
            return
        fills = self._liquidity.fill(tick, terms.side, terms.price, order.pending_quantity, resting=resting)
        if not fills:
            return
        lot = terms.instrument.lot_size
        if order.pending_quantity > lot and self._faults.strike(Kind.PARTIAL_THEN_CANCEL, terms.instrument.key):
            self.fill(order, [(fills[0][0], max(lot, order.pending_quantity // 2 // lot * lot))])
            self.cancel(order)
            return
        self.fill(order, fills)

    def fill(self, order: Order, fills: Sequence[Fill]) -> None:
        """Executions, one trade each, and one state of the order after them."""
        for price, quantity in fills:
            self._book.trade(order, price, quantity)
            self._account.book(order.terms, price, quantity)
        if order.pending_quantity:
            self._book.move(order, Status.OPEN)
            self._updates.publish(order, Status.UPDATE)
        else:
            self.leave(order)
            self._book.move(order, Status.COMPLETE)
            self._updates.publish(order, Status.COMPLETE)
        self.on_fill(order)

    @property
    def resting(self) -> int:
        """Orders that rest."""
        return sum(len(orders) for orders in self._resting.values())
