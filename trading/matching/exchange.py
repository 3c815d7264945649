"""The paper exchange: orders rest per instrument and are matched with the five-level books of later ticks.

An order may match from the first tick whose event time is at or after the moment it was sent plus the latency, rounded
up to whole seconds, the resolution of the packets. An order that arrives late is given what has passed meanwhile
(`passed`), clock by clock and phase by phase, and fares as it would have fared in time: what it gets does not depend on
how fast the pipeline ran.

Fills walk the levels, one report per level at exactly its price. A market order becomes a limit order at its
protection price (Kite, since 2026-04-01), pays slippage for what the visible levels do not hold, and rests with what
it cannot have within its protection. A stop order becomes that, or its limit order, at the first tick that shows a
trade at its trigger or beyond, and may match the same tick. A limit order that was not marketable when it could
first match rests, and then fills only when a new trade (the day's volume has risen) goes through its price or the
opposite side of the book reaches it. A packet without a time meets no order. Every order meets the whole book: our own
orders do not compete with each other, or the order of their arrival would matter. No order outlives its day.

In the closing auction nothing fills until the day's volume rises: that trade's price is the auction's, market orders
and better limits have it, up to the volume it shows. Its reference price, a 15-minute average that packets do not
carry, is taken to be the last continuous price, which they still show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from decimal import Decimal

from models.messages.orders import OrderStatus, OrderType, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Tick, to_units
from trading.market.instruments import Instrument
from trading.market.sessions import DAY_SECONDS, IST_SECONDS, Phase
from trading.matching.book import PaperBook, RestingOrder
from trading.matching.liquidity import (
    PAISA,
    Piece,
    acceptable,
    beyond,
    opposite,
    protected,
    reference,
    walk,
    within_band,
)
from trading.matching.phases import SESSION_ENDS, Moment, Seen, is_squared_off, may_print, refusal
from trading.matching.reports import end, fills, report
from trading.matching.rules import MatchingRules, latency_seconds, most_from_a_tick

S = OrderStatus
Find = Callable[[int], Instrument | None]


class PaperExchange:
    """Orders in, reports out. Pure: the books hold all that is remembered, by instrument token.

    `find` gives an instrument for its tick size; without one, protection prices are rounded to the paisa. `changed`
    holds the tokens whose books have changed in a way a restart must not forget; who stores the books empties it.
    """

    def __init__(
        self,
        rules: MatchingRules | None = None,
        find: Find = lambda _: None,
        books: MutableMapping[int, PaperBook] | None = None,
    ) -> None:
        self.rules = rules or MatchingRules()
        self.books: MutableMapping[int, PaperBook] = {} if books is None else books
        self.changed: set[int] = set()
        self._find = find

    def submit(
        self, order: PlannedOrder, *, passed: Iterable[Seen] = (), not_before: int = 0, after_sequence: int = 0
    ) -> list[OrderUpdate]:
        """Take an order in, and match it with what the instrument has shown since it was sent.

        It was sent in answer to the tick its signal came from; one that had to wait, at `not_before`, after the tick
        with `after_sequence`. What `passed` holds up to that tick is left out. A known order gives nothing.
        """
        book = self.books.setdefault(order.instrument_token, PaperBook())
        if order.order_id in book.known:
            return []
        resting = self._resting(order, max(order.event_time, not_before))
        resting.sequence = max(order.tick_sequence, after_sequence)
        self.changed.add(order.instrument_token)
        book.known[order.order_id] = resting.placed_at
        book.resting[order.order_id] = resting
        updates = [report(resting, S.WORKING, resting.placed_at, order.tick_sequence)]
        for seen in _after(resting.sequence, passed):
            updates += self._live_through(book, resting, seen)
            if order.order_id not in book.resting:
                break
        return updates

    def cancel(self, token: int, order_id: str, *, sent_at: int, clock: int) -> list[OrderUpdate]:
        """Cancel what rests of an order, the latency after `sent_at`; nothing when it does not rest.

        `clock` is how far the market has gone: a cancel that is late by then takes effect at once.
        """
        book = self.books.get(token)
        resting = None if book is None else book.resting.get(order_id)
        if book is None or resting is None:
            return []
        self.changed.add(token)
        resting.cancel_at = min(resting.cancel_at, sent_at + latency_seconds(self.rules, order_id))
        if clock < resting.cancel_at:
            return []
        return [end(book, resting, S.CANCELLED, clock, "Cancelled on request")]

    def on_tick(self, tick: Tick, moment: Moment, run_id: str) -> list[OrderUpdate]:
        """Move the instrument's clock, then match what rests with one tick; orders that have met it give nothing."""
        book = self.books.get(tick.instrument_token)
        if book is None or not book.resting:
            return []
        updates = []
        for resting in list(book.resting.values()):
            if run_id == resting.run_id and tick.sequence <= resting.sequence:
                continue
            ended = self._end_by(book, resting, moment)
            updates += self._meet(book, resting, tick, moment, run_id) if ended is None else [ended]
        return updates

    def on_clock(self, token: int, moment: Moment) -> list[OrderUpdate]:
        """Move an instrument's clock: end what it has run out for."""
        book = self.books.get(token)
        if book is None:
            return []
        ends = [self._end_by(book, resting, moment) for resting in list(book.resting.values())]
        return [one for one in ends if one is not None]

    def _resting(self, order: PlannedOrder, sent_at: int) -> RestingOrder:
        resting = RestingOrder(
            order=order,
            placed_at=sent_at,
            eligible_at=sent_at + latency_seconds(self.rules, order.order_id),
            last_second=_last_second(order, sent_at),
            waits=order.is_stop,
            run_id=order.run_id,
        )
        if order.limit_price is not None:
            resting.limit_units = to_units(order.limit_price)
        elif order.trigger_price is not None:
            resting.limit_units = protected(order, to_units(order.trigger_price), self._tick_size(order))
        return resting

    def _tick_size(self, order: PlannedOrder) -> Decimal:
        instrument = self._find(order.instrument_token)
        return instrument.tick_size if instrument is not None and instrument.tick_size > 0 else PAISA

    def _live_through(self, book: PaperBook, resting: RestingOrder, seen: Seen) -> list[OrderUpdate]:
        ended = self._end_by(book, resting, seen.moment)
        if ended is not None:
            return [ended]
        updates: list[OrderUpdate] = []
        for tick in seen.ticks:
            updates += self._meet(book, resting, tick, seen.moment, resting.order.run_id)
            if resting.order.order_id not in book.resting:
                break
        return updates

    def _end_by(self, book: PaperBook, resting: RestingOrder, moment: Moment) -> OrderUpdate | None:
        """End an order the clock or the phase has run out for. Notes its arrival."""
        clock = moment.clock
        if clock >= resting.cancel_at:
            return end(book, resting, S.CANCELLED, clock, "Cancelled on request")
        if clock >= resting.last_second:
            return end(book, resting, S.EXPIRED, clock, _run_out(resting))
        if moment.phase in SESSION_ENDS:
            is_later = clock > resting.placed_at
            return end(book, resting, S.EXPIRED, clock, "The session ended") if is_later else None
        if not resting.arrived_in and clock >= resting.eligible_at:
            reason = refusal(moment, resting.order)
            if reason:
                return end(book, resting, S.REJECTED, clock, reason)
            resting.arrived_in = moment.phase.value
            self.changed.add(resting.order.instrument_token)
        if is_squared_off(moment, resting.order, resting.placed_at):
            return end(book, resting, S.CANCELLED, clock, "Intraday orders are cancelled at the square-off")
        if moment.phase is Phase.CLOSING_AUCTION and resting.waits and resting.arrived_in:
            return end(book, resting, S.CANCELLED, clock, "The closing auction began")
        return None

    def _meet(
        self, book: PaperBook, resting: RestingOrder, tick: Tick, moment: Moment, run_id: str
    ) -> list[OrderUpdate]:
        """Match one order with one tick it has not met, unless it cannot match it yet."""
        resting.run_id, resting.sequence = run_id, tick.sequence
        if tick.exchange_time < resting.eligible_at:
            return []
        if resting.volume is None and not resting.waits:
            self.changed.add(tick.instrument_token)
        if moment.phase is Phase.CONTINUOUS:
            return self._trade(book, resting, tick)
        if moment.phase is Phase.CLOSING_AUCTION:
            return self._auction(book, resting, tick, moment)
        return []

    def _trade(self, book: PaperBook, resting: RestingOrder, tick: Tick) -> list[OrderUpdate]:
        if resting.waits:
            had_extreme = resting.extreme
            resting.waits = not _is_triggered(resting, tick)
            if not resting.waits or (resting.extreme and not had_extreme):
                self.changed.add(tick.instrument_token)
            if resting.waits:
                return []
        if resting.limit_units is None:
            from_units = reference(resting.order.side, tick)
            if not from_units:
                return []
            resting.limit_units = protected(resting.order, from_units, self._tick_size(resting.order))
        updates = fills(book, resting, tick, self._pieces(resting, tick, resting.limit_units))
        resting.volume = tick.volume
        if resting.order.validity is Validity.IOC and resting.remaining:
            reason = "Immediate-or-cancel: the rest could not fill"
            updates.append(end(book, resting, S.CANCELLED, tick.exchange_time, reason, tick.sequence))
        return updates

    def _pieces(self, resting: RestingOrder, tick: Tick, limit: int) -> list[Piece]:
        """What the order gets from a tick of continuous trading."""
        order, rules = resting.order, self.rules
        most = most_from_a_tick(rules, order.order_id, tick.sequence, resting.remaining)
        levels = opposite(order.side, tick)
        pieces = walk(order.side, levels, most, limit, rules.level_share_percent)
        left = most - sum(quantity for _, quantity in pieces)
        if not left:
            return pieces
        if resting.volume is not None:
            price = limit if _traded_through(resting, tick, limit) else 0
        elif order.order_type in (OrderType.MARKET, OrderType.SL_M):
            price = beyond(rules, order.side, tick, levels)
        else:
            return pieces
        return [*pieces, (price, left)] if price and acceptable(order.side, price, limit) else pieces

    def _auction(self, book: PaperBook, resting: RestingOrder, tick: Tick, moment: Moment) -> list[OrderUpdate]:
        order, price, limit = resting.order, tick.last_price_units, resting.limit_units
        if not resting.in_auction or resting.volume is None or not may_print(moment):
            if not resting.in_auction or tick.volume != resting.volume:
                self.changed.add(tick.instrument_token)
            first, resting.in_auction, resting.volume = not resting.in_auction, True, tick.volume
            if first and order.limit_price is not None and self._is_outside_the_band(resting, price):
                reason = f"The closing auction's price band is {self.rules.auction_band_percent} %"
                return [end(book, resting, S.REJECTED, tick.exchange_time, reason, tick.sequence)]
            return []
        printed, resting.volume = tick.volume - resting.volume, tick.volume
        if printed <= 0 or not price:
            return []
        if limit is not None and (price == limit or not acceptable(order.side, price, limit)):
            return []
        return fills(book, resting, tick, [(price, min(printed, resting.remaining))])

    def _is_outside_the_band(self, resting: RestingOrder, reference_units: int) -> bool:
        if resting.arrived_in != Phase.CLOSING_AUCTION or resting.limit_units is None or not reference_units:
            return False
        return not within_band(resting.limit_units, reference_units, self.rules.auction_band_percent)


def _after(sequence: int, passed: Iterable[Seen]) -> list[Seen]:
    """What came after a tick; everything when that tick is not there."""
    shown = list(passed)
    for number, seen in enumerate(shown):
        if any(tick.sequence == sequence for tick in seen.ticks):
            rest = tuple(tick for tick in seen.ticks if tick.sequence > sequence)
            return [*([Seen(seen.moment, rest)] if rest else []), *shown[number + 1 :]]
    return shown


def _midnight(second: int) -> int:
    return ((second + IST_SECONDS) // DAY_SECONDS + 1) * DAY_SECONDS - IST_SECONDS


def _last_second(order: PlannedOrder, sent_at: int) -> int:
    """The second from which the order cannot fill any more, whatever the market does."""
    midnight = _midnight(sent_at)
    return min(midnight, sent_at + order.validity_minutes * 60) if order.validity is Validity.TTL else midnight


def _run_out(resting: RestingOrder) -> str:
    by_day = resting.last_second == _midnight(resting.placed_at)
    return "The day ended" if by_day else f"Validity of {resting.order.validity_minutes} minutes ended"


def _is_triggered(resting: RestingOrder, tick: Tick) -> bool:
    """True when the last price, or a high or low of the day that is new in this tick, has reached the trigger."""
    order, last = resting.order, tick.last_price_units
    trigger = to_units(order.trigger_price or Decimal(0))
    extreme = tick.high_units if order.side is Side.BUY else tick.low_units
    is_new = resting.extreme and extreme != resting.extreme
    resting.extreme = extreme
    reached = last > 0 and (last - trigger) * order.side.sign >= 0
    return reached or bool(is_new and extreme and (extreme - trigger) * order.side.sign >= 0)


def _traded_through(resting: RestingOrder, tick: Tick, limit: int) -> bool:
    if resting.volume is None or tick.volume <= resting.volume:
        return False
    price = tick.last_price_units
    return 0 < price < limit if resting.order.side is Side.BUY else price > limit
