"""The copy of the account beside the engine: whose it is, on which day, and when it is known."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import msgspec

from agents.live.account import AccountView
from tables.journal import StateRow, encode_row
from tests.unit.runtime.configurations import configured
from tests.unit.trading.reconciliation.books import DAY, NOW, account, holds
from trading.accounting.account import Account
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import session_start

NEXT_DAY = session_start(date(2026, 8, 21))


def view() -> AccountView:
    settings = configured(brokers={"zerodha": {"enabled": True, "start_cash": "5000"}})
    return AccountView(settings, "zerodha", lambda: InstrumentRegistry(()))


def told(made: AccountView, of: Account | None, key: str = "zerodha:main") -> None:
    value = None if of is None else encode_row(StateRow({}, msgspec.msgpack.encode(of)))
    made._on_row(SimpleNamespace(key=key.encode(), value=value))


def read(made: AccountView) -> None:
    made.reader.caught_up.set()
    made.marks.caught_up.set()


def test_nothing_is_known_before_both_topics_are_read() -> None:
    made = view()
    made.reader.caught_up.set()
    assert made.at(NOW) is None
    made.marks.caught_up.set()
    found = made.at(NOW)
    assert found is not None
    assert (found.account, found.cash, found.day) == ("zerodha:main", 5000, DAY)


def test_the_newest_row_of_this_account_counts_and_is_copied() -> None:
    made = view()
    read(made)
    told(made, holds(account(), 5))
    told(made, holds(account(), 7))
    told(made, holds(account(), 9), "zerodha:other")
    told(made, holds(account(), 9), "#journal/zerodha:main")
    first, second = made.at(NOW), made.at(NOW)
    assert first is not None
    assert first is not second
    assert [one.quantity for one in first.positions.values()] == [7]


def test_the_copy_begins_the_day_it_is_asked_for() -> None:
    made = view()
    read(made)
    told(made, holds(account(), 7))
    found = made.at(NEXT_DAY)
    assert found is not None
    assert found.day == "2026-08-21"
    assert [(one.overnight_quantity, one.day_buy_quantity) for one in found.positions.values()] == [(7, 0)]
    assert made.at(NOW).day == DAY  # type: ignore[union-attr]
