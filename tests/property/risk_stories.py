"""Stories of one strategy at one broker: wishes are decided, orders fill and end, messages arrive in any order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from models.messages.control import TradingState
from models.messages.orders import OrderFailed, OrderFilled, OrderStatus, OrderType, PlannedOrder, Product, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent
from tests.factories import AT, exposure, filled, instrument, limits, market, origin, signal
from trading.accounting.account import position_quantity
from trading.risk.chain import decide
from trading.risk.exposure import Exposure, Standing, apply_failed, apply_fill, reserve

KEY = "NSE:INFY"
STRATEGY = "momentum"
ENDS = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.DENIED_LATE)
prices = st.integers(1, 40_000).map(lambda steps: Decimal(steps * 5) / 100)
Message = OrderFilled | OrderFailed


class Story:
    """Any order may fill in part and end, also the ones at the market. `exposure` is what risk has been told."""

    def __init__(self) -> None:
        self.exposure: Exposure = exposure()
        self.clock = AT
        self.signals = 0
        self.orders: dict[str, PlannedOrder] = {}
        self.filled: dict[str, int] = {}  # units, by what has arrived
        self.ended: dict[str, int] = {}  # units the end knew of, by what has arrived
        self.under_way: list[Message] = []
        self.arrived: list[Message] = []

    def wish(self, values: dict[str, Any], later: int, fate: tuple[list[int], OrderStatus | None]) -> Any:
        """Decide; what is accepted will fill at the cuts of its `fate`, and end there or fill in full."""
        self.clock += later
        self.signals += 1
        values = dict(values)
        picture = market(clock=self.clock, trading_state=values.pop("trading_state", TradingState.ACTIVE))
        at = origin(event_time=self.clock, clock=self.clock)
        made = signal(signal_id=str(self.signals), origin=at, **values)
        result = decide(made, self.exposure, limits(), picture, instrument(freeze_quantity=300))
        if isinstance(result, AcceptedSignal):
            reserve(self.exposure, result, instrument())
            for one in result.orders:
                self._send(one, *fate)
        return result

    def _send(self, one: PlannedOrder, cuts: list[int], end: OrderStatus | None) -> None:
        self.orders[one.order_id] = one
        self.filled[one.order_id] = 0
        marks = sorted({cut * one.quantity // 100 for cut in cuts} - {0})
        if end is None:
            marks = [*(cut for cut in marks if cut < one.quantity), one.quantity]
        elif marks and marks[-1] == one.quantity:
            marks.pop()
        done = 0
        for mark in marks:
            self.under_way.append(filled(one, mark - done, "1500", mark, event_time=self.clock))
            done = mark
        if end is not None:
            self.under_way.append(
                OrderFailed(
                    order=one,
                    broker_order_id="B1",
                    outcome=end,
                    filled_quantity=done,
                    reason="",
                    event_time=self.clock,
                )
            )

    def deliver(self, number: int) -> None:
        """One of the messages under way arrives."""
        if self.under_way:
            self._take(self.under_way.pop(number % len(self.under_way)))

    def repeat(self, number: int) -> None:
        """One that has arrived comes again."""
        if self.arrived:
            self._apply(self.arrived[number % len(self.arrived)])

    def _take(self, message: Message) -> None:
        name = message.order.order_id
        if isinstance(message, OrderFilled):
            self.filled[name] += message.quantity
        else:
            self.ended[name] = message.filled_quantity
        self.arrived.append(message)
        self._apply(message)

    def _apply(self, message: Message) -> None:
        if isinstance(message, OrderFilled):
            apply_fill(self.exposure, message, instrument())
        else:
            apply_failed(self.exposure, message)

    def expected(self, order_id: str) -> int:
        """Units of an order that must be reserved by what has arrived."""
        most = self.ended.get(order_id, self.orders[order_id].quantity)
        return max(0, most - self.filled[order_id])

    def check(self) -> None:
        """Exactly what may still fill is reserved, and positions are the fills."""
        reserved = {name: one.remaining for name, one in self.exposure.open_orders.items()}
        assert reserved == {name: left for name in self.orders if (left := self.expected(name))}
        assert all(left > 0 for left in reserved.values())
        assert self.held == sum(self.orders[name].side.sign * units for name, units in self.filled.items())
        working = {side: sum(one.remaining for one in self._open(side)) for side in Side}
        assert self.standing == Standing(self.held, working[Side.BUY], working[Side.SELL])

    def _open(self, side: Side) -> list[Any]:
        return [one for one in self.exposure.open_orders.values() if one.side is side]

    @property
    def standing(self) -> Standing:
        """As risk sees it."""
        return self.exposure.standings(STRATEGY, KEY, Product.MIS, self.clock)[1]

    @property
    def held(self) -> int:
        """The strategy's position."""
        return position_quantity(self.exposure.account, STRATEGY, KEY)

    def end(self) -> int:
        """Everything under way arrives, first what was sent first; the position then."""
        while self.under_way:
            self.deliver(0)
        self.check()
        assert self.exposure.open_orders == {}
        self.clock += 2
        return self.held


sides = st.sampled_from(Side)
kinds = st.sampled_from(
    [
        {},
        {"order_type": OrderType.LIMIT, "limit_price": Decimal(1500)},
        {"order_type": OrderType.SL_M, "trigger_price": Decimal(1500)},
    ]
)
states = st.sampled_from([{}, {}, {}, *({"trading_state": state} for state in TradingState)])
fates = st.tuples(st.lists(st.integers(1, 100), max_size=3), st.sampled_from([None, None, *ENDS]))
closes = st.builds(
    lambda kind, state: {"intent": Intent.CLOSE, "side": None, "quantity": None, **kind, **state}, kinds, states
)

reduces = st.builds(
    lambda side, quantity, state: {"intent": Intent.REDUCE, "side": side, "quantity": quantity, **state},
    sides,
    st.integers(1, 90),
    states,
)


def opens(of: st.SearchStrategy[Side]) -> st.SearchStrategy[dict[str, Any]]:
    """Buy or sell a few."""
    return st.builds(
        lambda side, quantity, kind, state: {"side": side, "quantity": quantity, **kind, **state},
        of,
        st.integers(1, 90),
        kinds,
        states,
    )


def targets(low: int, high: int) -> st.SearchStrategy[dict[str, Any]]:
    """Hold so many."""
    return st.builds(
        lambda target, kind, state: {
            "intent": Intent.TARGET,
            "side": None,
            "quantity": None,
            "target_quantity": target,
            **kind,
            **state,
        },
        st.integers(low, high),
        kinds,
        states,
    )


def stories(wishes: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Wishes and messages in turn."""
    steps = st.one_of(
        st.tuples(st.just("wish"), st.tuples(wishes, st.integers(0, 2), fates)),
        st.tuples(st.just("deliver"), st.integers(0, 9)),
        st.tuples(st.just("deliver"), st.integers(0, 9)),
        st.tuples(st.just("repeat"), st.integers(0, 9)),
    )
    return st.lists(steps, max_size=30)


def tell(story: Story, steps: list[tuple[str, Any]]) -> Story:
    """Go through a story, checking it at every step."""
    for step, values in steps:
        match step:
            case "wish":
                story.wish(*values)
            case "deliver":
                story.deliver(values)
            case _:
                story.repeat(values)
        story.check()
    return story


def is_denied(result: Any, code: str) -> bool:
    """True for a denial with that code, of the whole or of the rest."""
    denial = result if isinstance(result, DeniedSignal) else result.rest
    return denial is not None and denial.code == code
