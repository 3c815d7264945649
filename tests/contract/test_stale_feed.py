"""No entry on a stale price: from the exchange's packets over the feed's clock to the decision of risk.

The clock of everything downstream is the highest exchange time the feed has seen. Heartbeats do not move it; the first
tick after them does, and what was cached meanwhile is then as old as the silence was long.
"""

from __future__ import annotations

from itertools import count

import pytest

from agents.feed.framing import Framing
from brokers.zerodha.frames import FrameDecoder
from models.messages.orders import Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent
from models.messages.ticks import Mode, TickFrame
from sandbox.frames import HEARTBEAT, frames, packet
from tests.factories import AT, TOKEN, exposure, instrument, limits, market, tick
from tests.strategy_runs import OTHER, PAIR
from trading.risk.chain import decide
from trading.risk.codes import ReasonCode
from trading.strategies.base import Wish
from trading.strategies.momentum import Momentum, MomentumParameters
from trading.strategies.signals import Cause, Sourced, signal_of, sourced

OPEN = AT + 3600  # 09:45 IST
LIMIT = 10


class Feed:
    """The real decoder and the real framing, without a socket."""

    def __init__(self) -> None:
        ids = count(1)
        self._decoder = FrameDecoder()
        self._framing = Framing("run", 1, lambda token: 0, lambda: f"frame-{next(ids)}")

    def receive(self, payload: bytes) -> list[TickFrame]:
        """Frames that a binary frame of the socket leads to."""
        ticks = self._decoder.decode(payload)
        return [frame for _, frame in [*self._framing.add((one, 1) for one in ticks), *self._framing.flush()]]

    def tick(self, token: int, at: int, price: int = 15_000_000) -> TickFrame:
        """The frame of one tick."""
        (payload,) = frames([packet(tick(price, at=at, instrument_token=token), Mode.FULL)])
        return self.receive(payload)[-1]


def decision(frame: TickFrame, token: int = TOKEN) -> AcceptedSignal | DeniedSignal:
    """What risk says to an entry that a strategy raises at a frame's last tick."""
    cause = Cause(run_id=frame.run_id, frame_id=frame.id, clock=frame.event_time, received_ns=1, tick=frame.ticks[-1])
    wish = Wish(instrument_token=token, intent=Intent.OPEN, side=Side.BUY, quantity=10)
    (found,) = sourced(Momentum(MomentumParameters(), PAIR), [wish], cause)
    assert isinstance(found, Sourced)
    raised = signal_of(found, cause, instance="momentum", broker="paper", account="paper:main")
    picture = market(clock=frame.event_time, marks={})
    return decide(raised, exposure(), limits(stale_feed_seconds=LIMIT), picture, instrument())


@pytest.mark.parametrize(("silence", "is_stale"), [(LIMIT, False), (LIMIT + 1, True), (3_600, True)])
def test_what_was_cached_during_a_silence_is_denied_once_the_clock_has_moved(silence: int, *, is_stale: bool) -> None:
    feed = Feed()
    assert isinstance(decision(feed.tick(TOKEN, OPEN)), AcceptedSignal)
    for _ in range(silence):
        assert feed.receive(HEARTBEAT) == [], "heartbeats raise nothing and move no clock"
    feed.tick(OTHER, OPEN + silence)
    found = decision(feed.tick(TOKEN, OPEN, price=15_000_100))
    assert isinstance(found, DeniedSignal if is_stale else AcceptedSignal)
    if isinstance(found, DeniedSignal):
        assert (found.code, found.values["age_seconds"]) == (ReasonCode.STALE_FEED, str(silence))


def test_a_fresh_tick_after_the_silence_is_taken() -> None:
    feed = Feed()
    feed.tick(OTHER, OPEN)
    assert isinstance(decision(feed.tick(TOKEN, OPEN + 3_600)), AcceptedSignal)
