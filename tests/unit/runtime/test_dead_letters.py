"""A dead letter can always be sent, and says where the message came from and why it is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faust_app.runtime.consume import Record
from faust_app.runtime.dead_letters import HEADERS, LONGEST_ERROR, dead_letter
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.topics import Topics
from tests.unit.runtime.configurations import configured

TOPIC = "paper.orders.filled"


def record(key: bytes | None = b"key", value: bytes | None = b"value") -> Record:
    return Record(TOPIC, 3, 41, key, value, {"trace": b"x"})


def test_origin_and_reason_are_in_the_headers() -> None:
    before = datetime.now(UTC)
    output = dead_letter(record(), "decode", DecodeError("not JSON"), "portfolio_manager")
    found = {name: value.decode() for name, value in output.headers}
    assert tuple(found) == HEADERS
    assert before <= datetime.fromisoformat(found.pop("failed-at")) <= datetime.now(UTC)
    assert found == {
        "origin-topic": TOPIC,
        "origin-partition": "3",
        "origin-offset": "41",
        "stage": "portfolio_manager",
        "reason": "decode",
        "error": "DecodeError: not JSON",
    }


def test_dead_letter_goes_to_the_one_partition_of_the_topics_dead_letters() -> None:
    output = dead_letter(record(), "decode", DecodeError("x"), "stage")
    assert (output.topic, output.partition) == (Topics(configured()).dlq(TOPIC), 0)


@given(st.none() | st.binary(max_size=50), st.binary(max_size=200))
def test_original_key_and_bytes_are_kept(key: bytes | None, value: bytes) -> None:
    output = dead_letter(record(key, value), "decode", DecodeError("x"), "stage")
    assert (output.key, output.value) == (key, value)


def test_tombstone_keeps_its_key() -> None:
    output = dead_letter(record(b"key", None), "decode", DecodeError("x"), "stage")
    assert (output.key, output.value) == (b"key", None)


def test_message_with_neither_key_nor_value_can_be_sent() -> None:
    """Kafka's producer takes no message without both."""
    output = dead_letter(record(None, None), "decode", DecodeError("x"), "stage")
    assert (output.key, output.value) == (None, b"")


@given(st.text(st.characters(), max_size=20) | st.just("\ud800 half a character"))
def test_any_error_text_can_be_sent(text: str) -> None:
    output = dead_letter(record(), "handler", ValueError(text), "stage")
    dict(output.headers)["error"].decode()


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\U0001f600" * 1_000_000])
def test_long_error_is_cut(text: str) -> None:
    output = dead_letter(record(), "handler", ValueError(text), "stage")
    assert len(dict(output.headers)["error"].decode()) == LONGEST_ERROR
