"""When the live engine compares, what it publishes of it, and which entries wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agents.live import reconciliation as module
from agents.live.differences import EVERY_SECONDS, Announcer
from agents.live.reconciliation import MOST_AGE_SECONDS, Reconciliation
from brokers.errors import BrokerFailure
from faust_app.runtime.codec import decode_any
from faust_app.runtime.errors import TransientError
from faust_app.runtime.topics import Topics
from models.messages.reconciliation import (
    AcceptedDifference,
    DifferenceState,
    ReconciliationDifference,
    ReconciliationRound,
)
from tables.journal import Output
from tests.factories import order
from tests.unit.runtime.configurations import configured
from tests.unit.trading.reconciliation.books import NOW, account
from trading.accounting.account import Account
from trading.orders.state import OrderRecord

ACCOUNT = "zerodha:main"
KEY = "position_unknown|NSE:INFY MIS"
GRACE = 3.0
Row = dict[str, Any]


def held(quantity: int) -> Row:
    """A position at the broker that no order explains."""
    return {"exchange": "NSE", "tradingsymbol": "INFY", "product": "MIS", "quantity": quantity, "average_price": 100}


class Ours:
    """Our side, in which nothing has happened yet."""

    def orders(self) -> Mapping[str, OrderRecord]:
        return {}

    def account(self) -> Account:
        return account()

    def prices(self) -> dict[str, Any]:
        return {}


class World:
    """The broker's books, a clock, and what was published."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.positions_there: list[Row] = []
        self.away: set[str] = set()
        self.accepted: list[AcceptedDifference] = []
        self.is_postgres_away = False
        self.second = float(NOW)
        self.sent: list[Any] = []
        self.while_reading: Any = lambda: None
        monkeypatch.setattr(module.time, "monotonic", lambda: self.second)
        settings = configured(brokers={"zerodha": {"enabled": True}})
        announcer = Announcer(Topics(settings), self._send, broker="zerodha", account=ACCOUNT, source="test")
        self.made = Reconciliation(
            self, Ours(), announcer, self._load, broker="zerodha", now=lambda: self.second, every_seconds=10
        )

    async def _send(self, outputs: list[Output]) -> None:
        assert {(one.topic, one.key) for one in outputs} == {("zerodha.reconciliation", ACCOUNT.encode())}
        self.sent += [decode_any(one.value).data for one in outputs]

    async def _load(self) -> list[AcceptedDifference]:
        if self.is_postgres_away:
            raise TransientError("PostgreSQL is away")
        return self.accepted

    async def _read(self, name: str, answer: Any) -> Any:
        self.while_reading()
        if name in self.away:
            raise BrokerFailure("HTTP 502")
        return answer

    async def trades(self) -> list[Row]:
        return list(await self._read("trades", []))

    async def positions(self) -> list[Row]:
        return list(await self._read("positions", self.positions_there))

    async def holdings(self) -> list[Row]:
        return list(await self._read("holdings", []))

    async def funds(self) -> Row:
        return dict(await self._read("funds", {"net": 10**7, "available": {"cash": 10**7, "collateral": 0}}))

    async def orders(self) -> list[Row]:
        return list(await self._read("orders", []))

    async def look(self, after: float = GRACE) -> list[Any]:
        """Compare after so many seconds; the bodies that were published."""
        self.second += after
        before = len(self.sent)
        await self.made.once(account())
        return self.sent[before:]

    def refusal(self, instrument: str = "NSE:INFY") -> str:
        return self.made.refusal(order(instrument=instrument))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_entries_wait_for_the_first_comparison_and_for_news_of_it(world: World) -> None:
    assert world.refusal() == "The account has not been compared with the broker yet"
    (told,) = await world.look()
    assert isinstance(told, ReconciliationRound)
    assert (told.account, told.open, told.number, told.blocks_account) == (ACCOUNT, (), 1, False)
    assert world.refusal() == ""
    world.second += MOST_AGE_SECONDS
    assert world.refusal() == ""
    world.second += 1
    assert world.refusal() == "The account was last compared with the broker 61 s ago"


async def test_after_a_start_what_is_in_motion_has_to_show_first_whether_it_counts(world: World) -> None:
    world.positions_there = [held(5)]
    assert await world.look() == []
    assert world.refusal() == "The account has not been compared with the broker yet"
    change, told = await world.look()
    assert (change.state, change.difference.key) == (DifferenceState.APPEARED, KEY)
    assert [one.key for one in told.open] == [KEY]
    assert told.blocks_account
    assert world.refusal() == "The account differs from what the broker says"


async def test_a_difference_is_told_of_when_something_becomes_of_it(world: World) -> None:
    await world.look()
    world.positions_there = [held(5)]
    assert await world.look() == []
    appeared, first = await world.look()
    assert await world.look() == []
    world.positions_there = [held(6)]
    assert [type(one) for one in await world.look()] == []
    changed, _ = await world.look()
    world.positions_there = []
    resolved, last = await world.look()
    changes = [appeared, changed, resolved]
    assert all(isinstance(one, ReconciliationDifference) for one in changes)
    assert [one.state.value for one in changes] == ["appeared", "changed", "resolved"]
    assert [one.difference.theirs for one in changes] == ["5", "6", "6"]
    assert (len(first.open), len(last.open), last.number) == (1, 0, 4)
    assert world.refusal() == ""


async def test_a_state_that_does_not_change_is_told_of_once_a_minute(world: World) -> None:
    assert len(await world.look()) == 1
    assert await world.look(EVERY_SECONDS - 1) == []
    (told,) = await world.look(1)
    assert told.number == 2


async def test_books_that_cannot_be_read_resolve_nothing_and_grow_old(world: World) -> None:
    world.positions_there = [held(5)]
    await world.look()
    await world.look()
    world.positions_there, world.away = [], {"positions"}
    (told,) = await world.look()
    assert (told.unread, [one.key for one in told.open]) == (("positions",), [KEY])
    world.away = {"orders", "trades", "positions", "holdings", "funds"}
    await world.look(MOST_AGE_SECONDS)
    assert "last compared" in world.refusal()
    world.away = set()
    resolved, _ = await world.look()
    assert resolved.state is DifferenceState.RESOLVED
    assert world.refusal() == ""


async def test_an_accepted_difference_blocks_no_more_also_after_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.positions_there = [held(5)]
    await world.look()
    appeared, _ = await world.look()
    world.accepted = [AcceptedDifference(key=KEY, value=appeared.difference.value)]
    assert await world.look() == []
    world.made.accepted()
    accepted, told = await world.look()
    assert (accepted.state, accepted.difference.is_accepted) == (DifferenceState.ACCEPTED, True)
    assert not told.blocks_account
    assert world.refusal() == ""
    restarted = World(monkeypatch)
    restarted.positions_there, restarted.accepted = world.positions_there, world.accepted
    await restarted.look()
    again, _ = await restarted.look()
    assert again.state is DifferenceState.ACCEPTED
    assert restarted.refusal() == ""


async def test_acceptances_are_asked_for_until_postgresql_answers(world: World) -> None:
    world.positions_there, world.is_postgres_away = [held(5)], True
    await world.look()
    appeared, _ = await world.look()
    world.accepted, world.is_postgres_away = [AcceptedDifference(key=KEY, value=appeared.difference.value)], False
    accepted, _ = await world.look()
    assert accepted.state is DifferenceState.ACCEPTED


async def test_a_request_is_answered_by_what_is_read_after_it(world: World) -> None:
    await world.look()
    world.while_reading = lambda: world.made.look("late")
    assert await world.look() == []
    world.while_reading = lambda: None
    (told,) = await world.look()
    assert told.asked == "late"


async def test_what_differs_in_one_instrument_stops_only_that(world: World) -> None:
    await world.look()
    foreign = {
        "order_id": "1", "exchange": "NSE", "tradingsymbol": "TCS", "instrument_token": 7, "transaction_type": "BUY",
        "product": "MIS", "order_type": "MARKET", "variety": "regular", "status": "COMPLETE", "quantity": 3,
        "filled_quantity": 3, "average_price": 100, "tag": None, "order_timestamp": "2026-08-20 09:30:00",
    }  # fmt: skip

    async def orders() -> list[Row]:
        return [foreign]

    world.made._reads.orders = orders  # type: ignore[method-assign]
    world.positions_there = [{**held(3), "tradingsymbol": "TCS"}]
    await world.look()
    await world.look()
    assert world.refusal("NSE:TCS") == "NSE:TCS differs from what the broker says"
    assert world.refusal("NSE:INFY") == ""
