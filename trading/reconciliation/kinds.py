"""Which differences there are, and how much each weighs. `docs/reconciliation.md` is generated from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from models.messages.reconciliation import OpenDifference
from trading.reconciliation.book import Area


class Severity(StrEnum):
    """What a difference stops. Exits and cancels always pass."""

    INFO = "info"  # nothing; it is said once
    WARNING = "warning"  # nothing; somebody should look
    BLOCKS_INSTRUMENT = "blocks_instrument"  # entries in its instrument
    BLOCKS_ACCOUNT = "blocks_account"  # every entry

    @property
    def is_blocking(self) -> bool:
        """True when some entries have to wait."""
        return self in {Severity.BLOCKS_INSTRUMENT, Severity.BLOCKS_ACCOUNT}


class DifferenceKind(StrEnum):
    """Stable names, used in messages, metrics and the audit trail."""

    ROWS_UNREADABLE = "rows_unreadable"
    ORDER_MISSING = "order_missing"
    ORDER_NEVER_SENT = "order_never_sent"
    ORDER_UNRECORDED = "order_unrecorded"
    ORDER_DOUBLED = "order_doubled"
    ORDER_ALIVE = "order_alive"
    ORDER_ENDED = "order_ended"
    ORDER_ENDED_OTHERWISE = "order_ended_otherwise"
    ORDER_STATUS_UNKNOWN = "order_status_unknown"
    ORDER_STUCK = "order_stuck"
    ORDER_FILLED_MORE = "order_filled_more"
    ORDER_FILLED_LESS = "order_filled_less"
    ORDER_AVERAGE = "order_average"
    ORDER_INSTRUMENT = "order_instrument"
    ORDER_SIDE = "order_side"
    ORDER_PRODUCT = "order_product"
    ORDER_QUANTITY = "order_quantity"
    ORDER_PRICE = "order_price"
    ORDER_FOREIGN = "order_foreign"
    TRADE_QUANTITY = "trade_quantity"
    TRADE_AVERAGE = "trade_average"
    TRADE_TERMS = "trade_terms"
    TRADE_UNKNOWN_ORDER = "trade_unknown_order"
    TRADE_DOUBLED = "trade_doubled"
    POSITION_MISSING = "position_missing"
    POSITION_UNKNOWN = "position_unknown"
    POSITION_QUANTITY = "position_quantity"
    POSITION_CONVERTED = "position_converted"
    POSITION_OVERNIGHT = "position_overnight"
    POSITION_UNBOOKED = "position_unbooked"
    POSITION_FOREIGN = "position_foreign"
    HOLDING_LESS = "holding_less"
    HOLDING_MORE = "holding_more"
    HOLDING_UNSETTLED = "holding_unsettled"
    FUNDS_LOW = "funds_low"


class About(msgspec.Struct, frozen=True):
    """What a kind means. Its differences can only be told from `areas` that were read."""

    severity: Severity
    meaning: str
    advice: str
    areas: tuple[Area, ...]


_INFO, _WARNING = Severity.INFO, Severity.WARNING
_INSTRUMENT, _ACCOUNT = Severity.BLOCKS_INSTRUMENT, Severity.BLOCKS_ACCOUNT
_ORDERS = (Area.ORDERS,)
_TRADES = (Area.ORDERS, Area.TRADES)
_POSITIONS = (Area.ORDERS, Area.POSITIONS, Area.HOLDINGS)
_HOLDINGS = (Area.POSITIONS, Area.HOLDINGS, Area.ORDERS)
_FUNDS = (Area.FUNDS,)
K = DifferenceKind

KINDS: dict[DifferenceKind, About] = {
    K.ROWS_UNREADABLE: About(
        _ACCOUNT,
        "The broker's answer has rows that cannot be read, so nothing in that area is known to be absent.",
        "Look at the rows in the log; when they are harmless, accept it.",
        (),
    ),
    K.ORDER_MISSING: About(
        _ACCOUNT,
        "An order that the broker took, or that has had no answer for a while, is not in its book.",
        "One without an answer is given up by itself; otherwise compare with the broker's console.",
        _ORDERS,
    ),
    K.ORDER_NEVER_SENT: About(
        _ACCOUNT,
        "The broker has an order that we have recorded and never sent.",
        "Look for a second process on this account and halt; cancel the order by hand if it works.",
        _ORDERS,
    ),
    K.ORDER_UNRECORDED: About(
        _ACCOUNT,
        "The broker has an order with a tag like ours that we have no record of.",
        "Look for a second process on this account, or for lost state; correct the position, then accept.",
        _ORDERS,
    ),
    K.ORDER_DOUBLED: About(
        _ACCOUNT,
        "The broker has a second order with the tag of one of ours.",
        "Cancel the second one, or undo what it filled; accept when the position is right.",
        _ORDERS,
    ),
    K.ORDER_ALIVE: About(
        _ACCOUNT,
        "An order has ended for us and still works at the broker.",
        "Cancel it at the broker.",
        _ORDERS,
    ),
    K.ORDER_ENDED: About(
        _ACCOUNT,
        "An order works for us and has ended at the broker.",
        "Its report is on the way or was lost; the next reading of the book delivers it.",
        _ORDERS,
    ),
    K.ORDER_ENDED_OTHERWISE: About(
        _WARNING,
        "An order has ended on both sides, in different ways, with the same fills.",
        "Nothing is held wrongly; find out why it was told so.",
        _ORDERS,
    ),
    K.ORDER_STATUS_UNKNOWN: About(
        _ACCOUNT,
        "The broker gives an order a status that nobody here knows.",
        "See what the status means in the broker's console; teach it to the mapping.",
        _ORDERS,
    ),
    K.ORDER_STUCK: About(
        _WARNING,
        "An order, or a change of it, has been on its way to the exchange for too long.",
        "The link between broker and exchange may be down; its exposure stays reserved.",
        _ORDERS,
    ),
    K.ORDER_FILLED_MORE: About(
        _ACCOUNT,
        "The broker has filled more of an order than we know.",
        "A report is on the way or was lost; the next reading of the book delivers it.",
        _ORDERS,
    ),
    K.ORDER_FILLED_LESS: About(
        _ACCOUNT,
        "We have booked more of an order than the broker has filled.",
        "Halt: a fill was booked that never was, or the broker has taken one back.",
        _ORDERS,
    ),
    K.ORDER_AVERAGE: About(
        _WARNING,
        "As much is filled, at another average price.",
        "Profit and loss are off by the difference; compare with the contract note.",
        _ORDERS,
    ),
    K.ORDER_INSTRUMENT: About(
        _ACCOUNT,
        "An order is in another instrument than we asked for.",
        "Halt: the instrument dump may be of another day.",
        _ORDERS,
    ),
    K.ORDER_SIDE: About(_ACCOUNT, "An order is on the other side.", "Halt and correct the position.", _ORDERS),
    K.ORDER_PRODUCT: About(
        _ACCOUNT,
        "An order is under another product than we asked for.",
        "Convert the position back, or close it by hand.",
        _ORDERS,
    ),
    K.ORDER_QUANTITY: About(
        _ACCOUNT,
        "An order is for another quantity than we asked for.",
        "Somebody may have modified it by hand: cancel it.",
        _ORDERS,
    ),
    K.ORDER_PRICE: About(
        _ACCOUNT,
        "The limit or trigger price of an order is not what we asked for.",
        "Somebody may have modified it by hand: cancel it.",
        _ORDERS,
    ),
    K.ORDER_FOREIGN: About(
        _INFO,
        "An order by hand or of another program. It is never touched.",
        "Nothing; what it fills shows as a foreign position.",
        _ORDERS,
    ),
    K.TRADE_QUANTITY: About(
        _ACCOUNT,
        "The trades of an order do not add up to its filled quantity.",
        "The broker contradicts itself; when it lasts, ask it which is right.",
        _TRADES,
    ),
    K.TRADE_AVERAGE: About(
        _WARNING,
        "The trades of an order have another average price than we booked.",
        "Profit and loss are off by the difference; compare with the contract note.",
        _TRADES,
    ),
    K.TRADE_TERMS: About(
        _ACCOUNT,
        "A trade of one of our orders is in another instrument, side or product.",
        "The broker contradicts itself: halt and ask it.",
        _TRADES,
    ),
    K.TRADE_UNKNOWN_ORDER: About(
        _ACCOUNT,
        "A trade belongs to an order that is in no book.",
        "The order was placed in between, or the broker's book is incomplete; correct the position, then accept.",
        _TRADES,
    ),
    K.TRADE_DOUBLED: About(
        _WARNING,
        "The broker lists a trade of an order twice; it is counted once.",
        "Nothing, unless positions differ, too.",
        _TRADES,
    ),
    K.POSITION_MISSING: About(
        _ACCOUNT,
        "We hold a position and the broker has none.",
        "It was closed outside, or never was: correct the books, then resume.",
        _POSITIONS,
    ),
    K.POSITION_UNKNOWN: About(
        _ACCOUNT,
        "The broker has a position that we do not, and no order of the day explains it.",
        "Close it, or accept it as the owner's.",
        _POSITIONS,
    ),
    K.POSITION_QUANTITY: About(
        _ACCOUNT,
        "Both have a position, of different quantities, and no order of the day explains it.",
        "Correct the position or the books.",
        _POSITIONS,
    ),
    K.POSITION_CONVERTED: About(
        _ACCOUNT,
        "As many units are under another product, or have become a delivery.",
        "Convert it back, or close it by hand: our exits would open another position.",
        _POSITIONS,
    ),
    K.POSITION_OVERNIGHT: About(
        _WARNING,
        "The position is the same; how much of it was carried over night is not.",
        "The day's profit is off; see whether the account began the day with all fills.",
        _POSITIONS,
    ),
    K.POSITION_UNBOOKED: About(
        _WARNING,
        "A position differs by exactly what differs in our own orders.",
        "See to the difference of the order, which blocks.",
        _POSITIONS,
    ),
    K.POSITION_FOREIGN: About(
        _INSTRUMENT,
        "A position differs by exactly what orders of others have filled.",
        "Close it, or accept it as the owner's.",
        _POSITIONS,
    ),
    K.HOLDING_LESS: About(
        _ACCOUNT,
        "The broker holds fewer delivery shares than we do.",
        "They were sold, pledged or moved outside, or an auction failed: correct the books.",
        _HOLDINGS,
    ),
    K.HOLDING_MORE: About(
        _INSTRUMENT,
        "The broker holds more delivery shares than we do.",
        "Accept them as the owner's, unless a purchase of ours was lost.",
        _HOLDINGS,
    ),
    K.HOLDING_UNSETTLED: About(
        _WARNING,
        "As many delivery shares, of which another number is settled.",
        "A settlement holiday is not known here; sales of them may fail.",
        _HOLDINGS,
    ),
    K.FUNDS_LOW: About(
        _ACCOUNT,
        "Less money can be used at the broker than our account believes, by more than the tolerance.",
        "Look for withdrawals, foreign positions and higher margins.",
        _FUNDS,
    ),
}


def blocking_differences(found: Iterable[OpenDifference]) -> dict[str, int]:
    """How many differences entries wait for, by instrument; under the empty name those that block the account."""
    counts = Counter[str]()
    for one in found:
        if not one.is_accepted and Severity(one.severity).is_blocking:
            counts[one.instrument if one.severity == Severity.BLOCKS_INSTRUMENT else ""] += 1
    return dict(counts)
