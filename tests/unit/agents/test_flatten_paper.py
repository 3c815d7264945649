"""Closing a paper account: risk and engine in memory, on the market's clock alone."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from agents.risk_manager import RiskManager
from faust_app.runtime.codec import decode_any, encode, event_time, root
from faust_app.runtime.consume import Record
from faust_app.runtime.settings import load_settings
from faust_app.runtime.topics import Topic, Topics
from faust_app.runtime.trading_state import Flattening
from models.messages.control import TradingState
from models.messages.market import Mark, Marks
from models.messages.orders import OrderType, PlannedOrder, Side
from models.messages.signals import Intent
from models.messages.ticks import Tick
from tests.engine_loop import Loop
from tests.factories import ACCOUNT, TOKEN, instrument, levels, limits, origin, signal, tick
from tests.strategy_runs import OPEN
from trading.market.instruments import InstrumentRegistry
from trading.matching.rules import MatchingRules

BUY, SELL = Side.BUY, Side.SELL
START = OPEN + 600
EVERYTHING = Flattening(revision=1, everything=True)
READ_BY_RISK = (Topic.SIGNALS_RAW, Topic.ORDERS_FILLED, Topic.ORDERS_FAILED)
TIGHT = MatchingRules(slippage_percent=None)  # nothing fills beyond the visible levels


class Paper(Loop):
    """An engine and its risk manager. `step` is a second of the market, in which both timers look."""

    def __init__(self, rules: MatchingRules | None = None) -> None:
        self.wanted = Flattening()
        self.risk_rows: dict[str, bytes] = {}
        super().__init__(rules or MatchingRules())
        self.risk = self._new_risk()
        self.second = START
        self.sequence = 0

    def _new_engine(self) -> Any:
        engine: Any = super()._new_engine()
        self._follow(engine._withdrawals, engine._trading_state)
        engine._withdrawals.forget()
        engine._withdrawals._worker.publisher = SimpleNamespace(send_all=self._take)
        return engine

    def _follow(self, part: Any, states: Any) -> None:
        part._trading_state = SimpleNamespace(flattening=lambda broker: self.wanted)
        states.state_for = lambda *_: TradingState.REDUCING if self.wanted else TradingState.ACTIVE

    async def _take(self, outputs: Any) -> None:
        self._send(outputs)

    def _new_risk(self) -> Any:
        worker: Any = SimpleNamespace(
            settings=load_settings("base"),
            broker="paper",
            stage="risk_manager",
            topics=Topics(load_settings("base")),
            table=lambda *_: self.risk_rows,
            publisher=SimpleNamespace(send_all=self._take),
        )
        made: Any = RiskManager(worker)
        made._registry = made._view.registry = InstrumentRegistry([instrument()])
        given = limits()
        made._limits = SimpleNamespace(of_account=given, of_strategy=lambda _: given, ready=lambda: asyncio.sleep(0))
        self._follow(made._exits, made._trading_state)
        asyncio.run(made.forget())
        return made

    def restart(self) -> None:
        """Both workers on what their tables hold; nobody has heard of the market since."""
        self.engine = self._new_engine()
        self.risk = self._new_risk()

    def wish(self, name: str, **terms: Any) -> None:
        seen = origin(event_time=self.second, clock=self.second, tick_sequence=self.sequence)
        body = signal(signal_id=name, origin=seen, **terms)
        at = event_time(self.second)
        envelope = root(body, message_id=name, broker="paper", key=ACCOUNT, source="runner", at=at)
        self._append(self._names[Topic.SIGNALS_RAW], encode(envelope))
        self.settle_all()

    def settle_all(self) -> None:
        """Handle everything on both sides."""
        handlers = zip(READ_BY_RISK, (self.risk.on_signal, self.risk.on_filled, self.risk.on_failed), strict=True)
        of = {self._names[topic]: handler for topic, handler in handlers}
        while True:
            self.settle()
            waiting = [topic for topic in of if self._done.get(topic, 0) < len(self._logs.get(topic, ()))]
            if not waiting:
                return
            topic, offset = waiting[0], self._done.get(waiting[0], 0)
            self._done[topic] = offset + 1
            decision = asyncio.run(of[topic](Record(topic, 0, offset, None, self._logs[topic][offset], {})))
            self._send(decision.outputs)

    def look(self) -> None:
        """Both timers look once."""
        asyncio.run(self.engine._withdrawals.once())
        due = self.risk._exits.due()
        if due is not None:
            asyncio.run(self.risk._exits._say(due))
        self.settle_all()

    def step(self, **book: Any) -> None:
        """The next second: a tick, the marks of it, and both timers."""
        self.second += 1
        self.sequence += 1
        seen = tick(sequence=self.sequence, at=self.second, **book)
        self._marks(seen)
        self.frame(self.second, seen)
        self.frame(self.second)
        self.settle_all()
        self.look()

    def _marks(self, seen: Tick) -> None:
        mark = Mark(TOKEN, seen.last_price_units, self.second, "continuous")
        self.risk._view.apply(Marks(run_id="run", clock=self.second, marks=(mark,)))

    @property
    def held(self) -> int:
        exposure = self.risk._known()
        return sum(one.quantity for one in exposure.account.positions.values())

    @property
    def sold(self) -> int:
        return sum(one.quantity for one in self.bodies(Topic.ORDERS_FILLED) if one.order.side is SELL)

    def left(self) -> list[str]:
        """What both workers tell."""
        positions, orders = self.risk._exits.left(), self.engine._withdrawals.left()
        assert positions is not None
        assert orders is not None
        return [*positions, *orders]

    def bodies(self, topic: Topic) -> list[Any]:
        found = {one.id: one.data for one in map(decode_any, self._logs.get(self._names[topic], []))}
        return list(found.values())

    def exits(self) -> list[PlannedOrder]:
        return [order for one in self.bodies(Topic.SIGNALS_VALIDATED) for order in one.orders if order.reduces]


def holding(rules: MatchingRules | None = None) -> Paper:
    """Ten units held, five more wanted far below."""
    paper = Paper(rules)
    paper.step()
    paper.wish("buy", side=BUY, quantity=10)
    for _ in range(3):
        paper.step()
    assert paper.held == 10
    paper.wish("entry", side=BUY, quantity=5, order_type=OrderType.LIMIT, limit_price=Decimal(1480))
    paper.step()
    return paper


def test_everything_is_cancelled_and_closed() -> None:
    paper = holding()
    assert paper.left() == []
    paper.wanted = EVERYTHING
    paper.look()
    assert paper.left()[0] == "momentum holds 10 NSE:INFY (MIS)"
    assert "BUY 5 NSE:INFY of momentum: working" in paper.left()
    for _ in range(4):
        paper.step()
    assert (paper.held, paper.left()) == (0, [])
    assert [one.quantity for one in paper.exits()] == [10]


def test_without_a_feed_nothing_fills_and_the_next_tick_cannot_fill_the_entry() -> None:
    paper = holding()
    paper.wanted = EVERYTHING
    for _ in range(5):
        paper.look()
    assert paper.held == 10
    assert len(paper.left()) == 3, "the position, the entry and the exit that waits"
    paper.step(price=14_700_000)
    for _ in range(3):
        paper.step(price=14_700_000)
    assert (paper.held, paper.left()) == (0, [])
    assert sum(one.quantity for one in paper.bodies(Topic.ORDERS_FILLED) if one.order.side is BUY) == 10


GONE = {"price": 14_700_000}  # two percent below: an order that rests has no market any more


def resting_exit(paper: Paper) -> None:
    """One unit is sold, the rest of the exit rests at its protection."""
    paper.step(buy=levels(14_999_500, -500, quantity=1)[:1])
    paper.step(**GONE)
    assert paper.sold == 1


def test_an_exit_that_found_no_market_in_time_is_priced_again() -> None:
    paper = holding(TIGHT)
    paper.wanted = EVERYTHING
    paper.look()
    resting_exit(paper)
    for _ in range(16):
        paper.step(**GONE)
    assert (paper.held, paper.left()) == (0, [])
    assert [(one.quantity, one.market_protection) for one in paper.exits()] == [(10, Decimal(-1)), (9, Decimal(1))]


def test_the_wish_goes_on_after_a_restart_without_a_tick() -> None:
    paper = holding()
    paper.restart()
    paper.wanted = EVERYTHING
    paper.look()
    assert paper.exits() == [], "a simulated market that has said nothing has no time"
    for _ in range(4):
        paper.step()
    assert (paper.held, paper.left()) == (0, [])


def test_a_restart_in_the_middle_closes_nothing_twice() -> None:
    paper = holding(TIGHT)
    paper.wanted = EVERYTHING
    paper.look()
    resting_exit(paper)
    for second in range(24):
        paper.step(**GONE)
        if second % 3 == 0:
            paper.restart()
    assert (paper.held, paper.left()) == (0, [])
    assert paper.sold == 10


def test_while_nobody_wants_it_an_exit_may_rest_for_ever() -> None:
    """Replays do not change."""
    paper = holding(TIGHT)
    paper.wish("close", intent=Intent.CLOSE)
    resting_exit(paper)
    for _ in range(30):
        paper.step(**GONE)
    assert (len(paper.exits()), paper.sold) == (1, 1)
    assert paper.bodies(Topic.ORDERS_FAILED) == []
