"""A state and its outputs change together, or not at all."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from models.messages.orders import Side
from tables.journal import JOURNAL_SLOTS, Output, applied_key, decode_state_row, is_state_key, journal_key
from tables.portfolios import portfolios_table
from tables.states import StateTable
from tests import factories
from trading.accounting.account import apply_fill, new_account
from trading.accounting.day import roll_day
from trading.market.sessions import trading_day

SOURCE = "paper.signals.raw/0"


class Count(msgspec.Struct):
    """State of one key: how often, and in which order of offsets."""

    number: int = 0
    offsets: list[int] = []


@pytest.fixture
def raw() -> dict[str, bytes]:
    return {}


@pytest.fixture
def table(raw: dict[str, bytes]) -> StateTable[Count]:
    return StateTable(raw, Count)


def output(text: str) -> Output:
    return Output("out", b"key", text.encode())


def add(table: StateTable[Count], offset: int, *keys: str, source: str = SOURCE) -> list[Output]:
    """Count one message in each of `keys`, as an agent does."""
    with table.transaction(source, offset) as change:
        for key in keys:
            if change.applied(key):
                continue
            state = change.get(key) or Count()
            state.number += 1
            change.put(key, state, [output(f"{key}{state.number}@{offset}")])
        return change.commit()


def number(table: StateTable[Count], key: str) -> int:
    found = table.row(key)
    return found[1].number if found else 0


def texts(outputs: list[Output]) -> list[str]:
    return [(one.value or b"").decode() for one in outputs]


def test_decision_writes_the_journal_first_and_then_its_states(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 7, "a", "b")
    assert list(raw) == [journal_key(SOURCE, 7), "a", "b"]


def test_redelivery_sends_the_stored_outputs_and_changes_nothing(
    table: StateTable[Count], raw: dict[str, bytes]
) -> None:
    first = add(table, 7, "a", "b")
    before = dict(raw)
    for reader in (table, StateTable(raw, Count)):
        with reader.transaction(SOURCE, 7) as change:
            assert change.applied("a")
            assert change.applied("b")
            assert change.commit() == first
    assert raw == before


def test_redelivery_remembers_its_event_again(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    """A crash can come between the state and the ids it should remember; those come last."""
    for _ in range(2):
        with table.transaction(SOURCE, 7) as change:
            change.remember("fill", "id", "2026-08-20")
            if not change.applied("a"):
                change.put("a", Count(1), [])
            change.commit()
        assert list(raw) == [journal_key(SOURCE, 7), "a", applied_key("fill", "id")]
        raw.popitem()


def test_earlier_offset_is_a_redelivery_too(table: StateTable[Count]) -> None:
    outputs = [add(table, offset, "a") for offset in range(5)]
    for offset in range(5):
        with table.transaction(SOURCE, offset) as change:
            assert change.applied("a")
            assert change.commit() == outputs[offset]
    assert number(table, "a") == 5


def test_sources_are_counted_apart(table: StateTable[Count]) -> None:
    add(table, 100, "a")
    assert texts(add(table, 3, "a", source="paper.signals.raw/1")) == ["a2@3"]
    assert texts(add(table, 3, "a", source="paper.orders.filled/0")) == ["a3@3"]
    assert texts(add(table, 3, "a")) == [], "3 came before 100 on its own source"


def test_state_that_missed_a_message_is_decided_afresh_beside_one_that_has_it(table: StateTable[Count]) -> None:
    """Crash after the first of two states."""
    add(table, 7, "a")
    assert texts(add(table, 7, "a", "b")) == ["a1@7", "b1@7"]
    with table.transaction(SOURCE, 7) as change:
        assert change.applied("a")
        assert change.applied("b")
        assert texts(change.commit()) == ["a1@7", "b1@7"], "the journal has the outputs of both"


def test_journal_without_its_state_does_not_count(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 7, "a")
    del raw["a"]
    table.forget()
    assert texts(add(table, 7, "a")) == ["a1@7"]
    assert number(table, "a") == 1


def test_slot_of_an_older_message_is_used_again(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    for offset in (5, 5 + JOURNAL_SLOTS):
        add(table, offset, "a")
    assert len([key for key in raw if not is_state_key(key)]) == 1
    with table.transaction(SOURCE, 5) as change:
        assert change.applied("a")
        assert change.commit() == [], "what was overwritten was delivered long ago: another message's is never sent"
    with table.transaction(SOURCE, 5 + JOURNAL_SLOTS) as change:
        assert change.applied("a")
        assert texts(change.commit()) == [f"a2@{5 + JOURNAL_SLOTS}"]


def test_failed_decision_leaves_no_trace(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 1, "a")
    before = dict(raw)

    def fail(offset: int) -> None:
        with table.transaction(SOURCE, offset) as change:
            state = change.get("a")
            assert state is not None
            state.number = 99
            change.put("a", state, [output("wrong")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail(2)
    assert raw == before
    assert number(table, "a") == 1
    assert texts(add(table, 2, "a")) == ["a2@2"]


def test_state_that_cannot_be_encoded_is_not_kept_in_memory(table: StateTable[Count]) -> None:
    add(table, 1, "a")

    def fail() -> None:
        with table.transaction(SOURCE, 2) as change:
            state = change.get("a")
            assert state is not None
            state.number = object()  # type: ignore[assignment]
            change.put("a", state, [])
            change.commit()

    with pytest.raises(TypeError):
        fail()
    assert number(table, "a") == 1


def test_decision_without_a_change_writes_nothing(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    with table.transaction(SOURCE, 1) as change:
        assert not change.applied("a")
        assert change.get("a") is None
        assert change.commit() == []
    assert raw == {}


def test_states_are_cached_until_partitions_move(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 1, "a")
    other = StateTable(raw, Count)
    add(other, 2, "a")
    assert number(table, "a") == 1
    table.forget()
    assert number(table, "a") == 2


def test_evicted_key_is_read_again_alone(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 1, "a", "b")
    add(StateTable(raw, Count), 2, "a", "b")
    table.evict("a")
    assert (number(table, "a"), number(table, "b")) == (2, 1)


def test_deleted_state_is_gone(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 1, "a")
    table.delete("a")
    table.delete("never there")
    assert table.row("a") is None
    assert "a" not in raw


def test_states_lists_states_and_no_bookkeeping(table: StateTable[Count]) -> None:
    add(table, 1, "a", "b")
    table.remember("signal", "id", "2026-08-20")
    assert {key: state.number for key, state in table.states()} == {"a": 1, "b": 1}


def test_remembered_id_is_known_until_its_day_is_over(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    for day in ("2026-08-19", "2026-08-20", "2026-08-21"):
        table.remember("fill", f"of {day}", day)
    assert not table.remembers("signal", "of 2026-08-20"), "kinds are kept apart"
    assert table.forget_days_before("2026-08-20") == 1
    assert [table.remembers("fill", f"of {day}") for day in ("2026-08-19", "2026-08-20", "2026-08-21")] == [
        False,
        True,
        True,
    ]
    assert len(raw) == 2


def test_forgetting_days_leaves_states_and_journal(table: StateTable[Count], raw: dict[str, bytes]) -> None:
    add(table, 1, "a")
    before = dict(raw)
    table.remember("fill", "x", "2026-08-19")
    table.forget_days_before("2026-08-20")
    assert raw == before


def test_id_is_remembered_only_with_the_commit(table: StateTable[Count]) -> None:
    with table.transaction(SOURCE, 1) as change:
        change.remember("fill", "id", "2026-08-20")
    assert not table.remembers("fill", "id")
    with table.transaction(SOURCE, 1) as change:
        change.remember("fill", "id", "2026-08-20")
        change.commit()
    assert table.remembers("fill", "id")


def test_rows_do_not_grow_with_the_number_of_messages(raw: dict[str, bytes]) -> None:
    table = StateTable(raw, Count)
    sources = [f"paper.orders.filled/{partition}" for partition in range(4)]
    sizes = []
    for offset in range(JOURNAL_SLOTS + 500):
        for source in sources[: 1 + offset % 4]:
            add(table, offset, "a", source=source)
        sizes.append(len(raw["a"]))
    assert max(sizes) < 300
    assert len(raw) <= 1 + 4 * JOURNAL_SLOTS
    assert set(decode_state_row(raw["a"]).positions) == set(sources)


def test_account_grows_by_a_dozen_bytes_an_order_until_its_day_is_over(raw: dict[str, bytes]) -> None:
    """500 orders in one day that filled: what recognises their repeats is in the state, and pruned at the day roll."""
    table = portfolios_table(raw)
    sizes = []
    for number_of in range(500):
        order = factories.order(order_id=f"order-{number_of}", side=Side.BUY if number_of % 2 else Side.SELL)
        filled = factories.filled(order, 10, "1500", 10, complete=True)
        with table.transaction("paper.orders.filled/0", number_of) as change:
            account = change.get(factories.ACCOUNT) or new_account(factories.ACCOUNT, Decimal(1_000_000))
            roll_day(account, trading_day(filled.event_time))
            assert apply_fill(account, filled, factories.instrument())
            change.put(factories.ACCOUNT, account, [])
            change.commit()
        sizes.append(len(raw[factories.ACCOUNT]))
    assert sizes[-1] - sizes[0] < 12 * 500 + 100
    with table.transaction("paper.orders.filled/0", 500) as change:
        account = change.get(factories.ACCOUNT)
        assert account is not None
        for days in (1, 2):
            roll_day(account, trading_day(factories.AT + days * 86_400))
        change.put(factories.ACCOUNT, account, [])
        change.commit()
    assert len(raw[factories.ACCOUNT]) < sizes[0]
