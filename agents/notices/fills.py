"""Fills: what was bought and sold, a message for each burst."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from agents.notices.quiet import Batch
from agents.notices.words import count, rupees, some
from faust_app.runtime.notices import Notice, NoticeKind
from models.messages.orders import OrderFilled, Side

REMEMBERED = 10_000  # fills by id: Kafka may deliver one again


class FillsWatch:
    """Gathers the fills of each account. Fills come no more often than a quiet period, and none is left out."""

    def __init__(self, seconds: float, quiet: float) -> None:
        self._batches: dict[str, Batch[OrderFilled]] = defaultdict(lambda: Batch(seconds, quiet))
        self._seen: OrderedDict[str, None] = OrderedDict()

    def hear(self, filled: OrderFilled, now: float) -> None:
        """A fill."""
        if filled.fill_id in self._seen:
            return
        self._seen[filled.fill_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._batches[filled.order.account].add(filled, now)

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice for each account with fills."""
        for account, batch in self._batches.items():
            fills = batch.take(now, is_last=is_last)
            if fills:
                yield _notice(account, fills, now)


def _notice(account: str, fills: list[OrderFilled], now: float) -> Notice:
    broker, _, _ = account.partition(":")
    return Notice(
        kind=NoticeKind.FILLS,
        subject=account,
        title=f"{account}: {_title(fills)}",
        lines=some(list(_lines(fills)), "instruments"),
        advice=f"alpha-panda orders --broker {broker} --status filled; alpha-panda positions --broker {broker}",
        at=now,
    )


def _title(fills: list[OrderFilled]) -> str:
    values = {side: sum((_value(one) for one in fills if one.order.side is side), Decimal(0)) for side in Side}
    parts = [f"{word} {rupees(values[side])}" for side, word in WORDS.items() if values[side]]
    return f"{count(len(fills), 'fill')}, {' and '.join(parts)} rupees"


WORDS = {Side.BUY: "bought", Side.SELL: "sold"}


def _value(filled: OrderFilled) -> Decimal:
    return filled.price * filled.quantity


def _lines(fills: list[OrderFilled]) -> Iterator[str]:
    """One of each strategy, instrument and side, the largest first."""
    groups: dict[tuple[str, str, Side], list[OrderFilled]] = defaultdict(list)
    for one in fills:
        groups[one.order.strategy, one.order.instrument, one.order.side].append(one)
    largest = sorted(groups.items(), key=lambda group: -sum(map(_value, group[1])))
    for (strategy, instrument, side), found in largest:
        quantity = sum(one.quantity for one in found)
        price = sum(map(_value, found), Decimal(0)) / quantity
        several = "" if len(found) == 1 else f", {len(found)} fills"
        yield f"{WORDS[side]} {quantity} {instrument} at {rupees(price)} rupees ({strategy}{several})"
