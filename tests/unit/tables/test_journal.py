"""Rows: what is written comes back, and keys of different kinds never meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tables.journal import (
    JOURNAL_SLOTS,
    JournalRow,
    Output,
    StateRow,
    applied_key,
    decode_journal_row,
    decode_state_row,
    encode_row,
    is_state_key,
    journal_key,
)

optional_bytes = st.none() | st.binary(max_size=20)
outputs = st.builds(
    Output,
    st.text(max_size=10),
    optional_bytes,
    optional_bytes,
    st.integers(-1, 63),
    st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3).map(tuple),
)
offsets = st.integers(0, 2**62)
sources = st.sampled_from(["paper.signals.raw/0", "paper.signals.raw/1", "paper.orders.filled/0"])


@given(offsets, st.dictionaries(st.text(max_size=10), st.lists(outputs, max_size=3), max_size=3))
def test_journal_row_comes_back_as_it_was(offset: int, made: dict[str, list[Output]]) -> None:
    row = decode_journal_row(encode_row(JournalRow(offset, made)))
    assert (row.offset, row.outputs) == (offset, made)


@given(st.dictionaries(st.text(max_size=10), offsets, max_size=5), st.binary(max_size=50))
def test_state_row_comes_back_as_it_was(positions: dict[str, int], state: bytes) -> None:
    row = decode_state_row(encode_row(StateRow(positions, state)))
    assert (row.positions, row.state) == (positions, state)


def test_message_is_applied_up_to_its_offset_and_only_of_its_source() -> None:
    row = StateRow({"a/0": 7}, b"")
    assert [row.has_applied("a/0", offset) for offset in (6, 7, 8)] == [True, True, False]
    assert not row.has_applied("a/1", 0)
    assert not StateRow({}, b"").has_applied("a/0", 0)
    assert StateRow({"a/0": 0}, b"").has_applied("a/0", 0)


@given(sources, offsets, sources, offsets)
def test_slots_are_shared_only_by_offsets_a_whole_round_apart(one: str, first: int, other: str, second: int) -> None:
    is_same_slot = one == other and (first - second) % JOURNAL_SLOTS == 0
    assert (journal_key(one, first) == journal_key(other, second)) == is_same_slot


def test_slots_hold_more_than_what_can_be_in_flight() -> None:
    from faust_app.runtime.consume import IN_FLIGHT

    assert JOURNAL_SLOTS > 4 * IN_FLIGHT


@given(st.text(max_size=20), offsets)
def test_bookkeeping_is_told_from_states(text: str, offset: int) -> None:
    assert not is_state_key(journal_key(text, offset))
    assert not is_state_key(applied_key("fill", text))
    assert journal_key(text, offset) != applied_key("fill", text)


def test_accounts_orders_and_instruments_are_state_keys() -> None:
    assert all(is_state_key(key) for key in ("paper:main", "0190f2d4-order", "408065", "momentum/0"))
