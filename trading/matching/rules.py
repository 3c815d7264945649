"""How the paper exchange behaves: every assumption a fill rests on, in one place."""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b

import msgspec

from models.messages.orders import PlannedOrder

DERIVATIVES = ("NFO:", "BFO:", "CDS:", "BCD:", "MCX:", "NCO:")
Steps = tuple[
    tuple[int, Decimal], ...
]  # (price in 1/10,000 rupee below which it holds, percent), the last for the rest
EVERY_PRICE = 2**63

# Percent of the last price, as Zerodha publishes them for equities and futures, and for options:
# support.zerodha.com, "Market price protection in alert triggers order".
PROTECTION: Steps = ((1_000_000, Decimal(2)), (5_000_001, Decimal(1)), (EVERY_PRICE, Decimal("0.5")))
OPTION_PROTECTION: Steps = (
    (100_000, Decimal(5)),
    (1_000_000, Decimal(3)),
    (5_000_001, Decimal(2)),
    (EVERY_PRICE, Decimal(1)),
)


class MatchingRules(msgspec.Struct, frozen=True, kw_only=True):
    """Assumptions of the paper exchange. Percentages are of prices unless they say otherwise.

    `slippage_percent` is what a market order pays beyond the last visible level; None fills nothing there.
    `level_share_percent` is how much of each level's quantity an order may have. `partial_percent` of the ticks an
    order meets give it only a random part; that and the jitter follow from `seed` and the order's id.
    """

    latency_ms: int = 150
    latency_jitter_ms: int = 0
    slippage_percent: Decimal | None = Decimal("0.05")
    level_share_percent: int = 100
    partial_percent: int = 0
    auction_band_percent: Decimal = Decimal(3)
    seed: int = 0


def latency_seconds(rules: MatchingRules, order_id: str) -> int:
    """From sending to the exchange, rounded up to whole seconds, the resolution of the packets."""
    milliseconds = rules.latency_ms
    if rules.latency_jitter_ms:
        milliseconds += drawn(rules.seed, order_id, "latency", rules.latency_jitter_ms + 1)
    return -(-milliseconds // 1000)


def most_from_a_tick(rules: MatchingRules, order_id: str, sequence: int, remaining: int) -> int:
    """How much of what remains a tick may fill."""
    if not rules.partial_percent:
        return remaining
    if drawn(rules.seed, order_id, f"partial/{sequence}", 100) >= rules.partial_percent:
        return remaining
    percent = drawn(rules.seed, order_id, f"part/{sequence}", 99) + 1
    return max(1, remaining * percent // 100)


def drawn(seed: int, order_id: str, what: str, below: int) -> int:
    """A number from 0 to `below` - 1 that only these values decide."""
    digest = blake2b(f"{seed}/{order_id}/{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below


def protection_percent(order: PlannedOrder, price_units: int) -> Decimal:
    """How far from `price_units` a MARKET or SL-M order may fill, in percent."""
    if order.market_protection > 0:
        return order.market_protection
    steps = OPTION_PROTECTION if is_option(order.instrument) else PROTECTION
    return next(percent for below, percent in steps if price_units < below)


def is_option(instrument: str) -> bool:
    """True for the key of an option: its symbol ends in the strike and CE or PE."""
    return instrument.startswith(DERIVATIVES) and instrument[-2:] in ("CE", "PE") and instrument[-3:-2].isdigit()
