"""The limits a risk manager decides by: read again after a change, kept while they cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agents import limits as module
from agents.limits import LimitsBook
from faust_app.runtime.codec import root
from faust_app.runtime.errors import TransientError
from faust_app.runtime.sections import RiskSettings
from models.messages.control import LimitsChanged, StrategiesChanged
from trading.risk.limits import Limits

ACCOUNT = "paper:main"
DEFAULTS = RiskSettings.model_validate({}).model_dump()


class Source:
    """What is stored; while it is None the database is away. Stands for `Reference` and its `data`."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] | None = {}
        self.reads = 0
        self.waited = 0

    @property
    def data(self) -> Source:
        return self

    async def load_limits(self, account: str) -> dict[str, dict[str, Any]]:
        self.reads += 1
        assert account == ACCOUNT
        if self.stored is None:
            raise TransientError("PostgreSQL is away")
        return {name: dict(values) for name, values in self.stored.items()}

    async def load(self, what: str, query: Callable[[], Any]) -> Any:
        self.waited += 1
        return await query()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def book(source: Source) -> LimitsBook:
    return LimitsBook(source, ACCOUNT, DEFAULTS)  # type: ignore[arg-type]


def event(body: Any) -> Any:
    return root(body, message_id="1", broker="shared", key="k", source="operator", at=datetime.now(UTC))


def changed(account: str = ACCOUNT) -> Any:
    return event(LimitsChanged(scope=account or "all", account=account, actor="me", reason=""))


async def settle(condition: Callable[[], bool]) -> None:
    """Let the book work until something is so."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_before_anything_is_read_nothing_is_allowed(book: LimitsBook) -> None:
    assert book.of_account == book.of_strategy("rsi") == Limits()


async def test_layers_are_read_once_to_begin_with(book: LimitsBook, source: Source) -> None:
    source.stored = {"": {"max_open_orders": "7"}, "rsi": {"max_open_orders": "3"}}
    await book.ready()
    await book.ready()
    assert (source.reads, source.waited) == (1, 1)
    assert (book.of_account.max_open_orders, book.of_strategy("rsi").max_open_orders) == (7, 3)
    assert book.of_account.max_daily_trades == DEFAULTS["max_daily_trades"]
    assert book.of_strategy("momentum") is book.of_account


async def test_a_change_is_read_at_once(book: LimitsBook, source: Source) -> None:
    following = asyncio.create_task(book.follow())
    await settle(lambda: source.reads == 1)
    for account, is_ours in (("zerodha:main", False), (ACCOUNT, True), ("", True)):
        reads = source.reads
        source.stored = {"": {"max_open_orders": str(reads + 10)}}
        book.on_control(changed(account))
        if is_ours:
            await settle(lambda reads=reads: book.of_account.max_open_orders == reads + 10)  # type: ignore[misc]
        assert source.reads == reads + is_ours
    book.on_control(event(StrategiesChanged(strategies=("rsi",), actor="me", reason="")))
    assert not book._changed.is_set()
    following.cancel()


async def test_what_nobody_told_is_found_by_looking(
    book: LimitsBook, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    following = asyncio.create_task(book.follow())
    await settle(lambda: source.reads == 1)
    source.stored = {"": {"max_open_orders": "9"}}
    await settle(lambda: book.of_account.max_open_orders == 9)
    following.cancel()


async def test_while_they_cannot_be_read_the_known_ones_hold(
    book: LimitsBook, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0)
    source.stored = {"": {"max_open_orders": "7"}}
    following = asyncio.create_task(book.follow())
    await settle(lambda: source.reads == 1)
    source.stored = None
    book.on_control(changed())
    await settle(lambda: source.reads > 3)
    assert book.of_account.max_open_orders == 7
    assert source.waited == 1  # the worker stays ready
    source.stored = {"": {"max_open_orders": "8"}}
    await settle(lambda: book.of_account.max_open_orders == 8)
    following.cancel()


async def test_limits_that_are_none_are_kept_as_none(book: LimitsBook, source: Source) -> None:
    source.stored = {"": {"max_open_orders": "NaN"}, "rsi": {"max_daily_loss": None}}
    await book.ready()
    assert list(book.of_account.unusable) == ["max_open_orders"]
    assert list(book.of_strategy("rsi").unusable) == ["max_open_orders", "max_daily_loss"]
