"""Why a signal was denied. `docs/reason_codes.md` is generated from here."""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    """Stable codes, used in messages, metrics and the audit trail."""

    INSTRUMENT_UNKNOWN = "instrument_unknown"
    INSTRUMENT_NOT_TRADABLE = "instrument_not_tradable"
    NOTHING_TO_DO = "nothing_to_do"
    TOO_MANY_SLICES = "too_many_slices"
    LOT_MULTIPLE = "lot_multiple"
    TRADING_HALTED = "trading_halted"
    REDUCING_ONLY = "reducing_only"
    MARKET_CLOSED = "market_closed"
    STALE_FEED = "stale_feed"
    SIGNAL_AGE = "signal_age"
    DUPLICATE_SIGNAL = "duplicate_signal"
    QUANTITY_LIMIT = "quantity_limit"
    POSITION_LIMIT = "position_limit"
    PRICE_COLLAR = "price_collar"
    ORDER_NOTIONAL = "order_notional"
    GROSS_EXPOSURE = "gross_exposure"
    OPEN_ORDERS = "open_orders"
    DAILY_TRADES = "daily_trades"
    DAILY_LOSS = "daily_loss"


MEANINGS: dict[ReasonCode, str] = {
    ReasonCode.INSTRUMENT_UNKNOWN: "The instrument is not in today's dump.",
    ReasonCode.INSTRUMENT_NOT_TRADABLE: "The instrument is an index, or has no lot or tick size.",
    ReasonCode.NOTHING_TO_DO: "The position is already what the signal asks for.",
    ReasonCode.TOO_MANY_SLICES: "More slices below the freeze quantity than may be sent at once.",
    ReasonCode.LOT_MULTIPLE: "The quantity is below one lot.",
    ReasonCode.TRADING_HALTED: "Trading is halted; only orders that reduce pass.",
    ReasonCode.REDUCING_ONLY: "Only orders that reduce a position pass.",
    ReasonCode.MARKET_CLOSED: "The segment does not trade continuously at the signal's time.",
    ReasonCode.STALE_FEED: "The tick behind the signal was older than the feed's clock allows.",
    ReasonCode.SIGNAL_AGE: "The market has moved on for too long since the signal.",
    ReasonCode.DUPLICATE_SIGNAL: "The same strategy asked for the same side of the instrument a moment ago.",
    ReasonCode.QUANTITY_LIMIT: "The order is larger than one order may be.",
    ReasonCode.POSITION_LIMIT: "The strategy's position in the instrument would become too large.",
    ReasonCode.PRICE_COLLAR: "The limit price is too far from the price the signal saw.",
    ReasonCode.ORDER_NOTIONAL: "The order's value is above the limit.",
    ReasonCode.GROSS_EXPOSURE: "Positions and open orders together would be worth too much.",
    ReasonCode.OPEN_ORDERS: "Too many orders are working.",
    ReasonCode.DAILY_TRADES: "Too many orders were accepted today.",
    ReasonCode.DAILY_LOSS: "Today's loss has reached the limit.",
}
