"""Why a signal was denied. `docs/reason_codes.md` is generated from here and from the chain."""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    """Stable codes, used in messages, metrics and the audit trail."""

    INSTRUMENT_UNKNOWN = "instrument_unknown"
    NOTHING_TO_DO = "nothing_to_do"
    OPPOSITE_ORDER_WORKING = "opposite_order_working"
    TRADING_HALTED = "trading_halted"
    REDUCING_ONLY = "reducing_only"
    MARKET_CLOSED = "market_closed"
    SQUARE_OFF = "square_off"
    STALE_FEED = "stale_feed"
    INSTRUMENT_NOT_TRADABLE = "instrument_not_tradable"
    PRODUCT_NOT_ALLOWED = "product_not_allowed"
    SHORT_SELLING = "short_selling"
    QUANTITY_LIMIT = "quantity_limit"
    TOO_MANY_SLICES = "too_many_slices"
    LOT_MULTIPLE = "lot_multiple"
    TICK_SIZE = "tick_size"
    PRICE_BAND = "price_band"
    PRICE_COLLAR = "price_collar"
    ORDER_NOTIONAL = "order_notional"
    POSITION_LIMIT = "position_limit"
    GROSS_EXPOSURE = "gross_exposure"
    BUYING_POWER = "buying_power"
    OPEN_ORDERS = "open_orders"
    DUPLICATE_SIGNAL = "duplicate_signal"
    SIGNAL_AGE = "signal_age"
    DAILY_TRADES = "daily_trades"
    DAILY_LOSS = "daily_loss"
    MAX_DRAWDOWN = "max_drawdown"
    ORDER_RATE = "order_rate"
    RECONCILIATION_DIFFERENCE = "reconciliation_difference"
    GROUP_INCOMPLETE = "group_incomplete"
    LIMIT_UNUSABLE = "limit_unusable"
    FIGURES_UNUSABLE = "figures_unusable"


MEANINGS: dict[ReasonCode, str] = {
    ReasonCode.INSTRUMENT_UNKNOWN: "The instrument is not in today's dump.",
    ReasonCode.NOTHING_TO_DO: "Once everything working has filled, the position is what the signal asks for.",
    ReasonCode.OPPOSITE_ORDER_WORKING: "An order of the other side has not filled yet; nothing is sized against it.",
    ReasonCode.TRADING_HALTED: "Trading is halted; only orders that reduce pass.",
    ReasonCode.REDUCING_ONLY: "Only orders that reduce a position pass.",
    ReasonCode.MARKET_CLOSED: "The segment does not trade continuously at the signal's time.",
    ReasonCode.SQUARE_OFF: "Intraday positions are being closed: no entry any more today, and no exit that would rest.",
    ReasonCode.STALE_FEED: "The tick behind the signal was older than the feed's clock allows.",
    ReasonCode.INSTRUMENT_NOT_TRADABLE: "The instrument is an index, has expired, or has no lot or tick size.",
    ReasonCode.PRODUCT_NOT_ALLOWED: "The instrument cannot be traded under the product.",
    ReasonCode.SHORT_SELLING: "More would be sold than is held, under a product that allows no short position.",
    ReasonCode.QUANTITY_LIMIT: "The order is larger than one order may be.",
    ReasonCode.TOO_MANY_SLICES: "More slices below the freeze quantity than may be sent at once.",
    ReasonCode.LOT_MULTIPLE: "The quantity is no whole number of lots, or less than one.",
    ReasonCode.TICK_SIZE: "The limit price is not on the tick, or is none once it has been rounded.",
    ReasonCode.PRICE_BAND: "The price is outside the day's band of the instrument.",
    ReasonCode.PRICE_COLLAR: "The limit price is too far from the price the signal saw.",
    ReasonCode.ORDER_NOTIONAL: "The order's value is above the limit, or is none.",
    ReasonCode.POSITION_LIMIT: "The strategy's position in the instrument would become too large.",
    ReasonCode.GROSS_EXPOSURE: "Positions and open orders together would be worth too much.",
    ReasonCode.BUYING_POWER: "The order needs more cash or margin than is free.",
    ReasonCode.OPEN_ORDERS: "Too many orders are working.",
    ReasonCode.DUPLICATE_SIGNAL: "The same strategy asked for the same side of the instrument a moment ago.",
    ReasonCode.SIGNAL_AGE: "The market has moved on for too long since the signal.",
    ReasonCode.DAILY_TRADES: "Too many orders were accepted today.",
    ReasonCode.DAILY_LOSS: "Today's loss has reached the limit.",
    ReasonCode.MAX_DRAWDOWN: "The account has lost too much of its highest equity.",
    ReasonCode.ORDER_RATE: "Too many orders were accepted within the last moments.",
    ReasonCode.RECONCILIATION_DIFFERENCE: "The account differs from what the broker says.",
    ReasonCode.GROUP_INCOMPLETE: "Another leg of the same group was denied, and the entries of a group stand together.",
    ReasonCode.LIMIT_UNUSABLE: "A limit the order is to be compared with is missing or no amount.",
    ReasonCode.FIGURES_UNUSABLE: "A price or amount the order is to be judged by is no number.",
}
