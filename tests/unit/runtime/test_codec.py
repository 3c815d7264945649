"""Messages keep every field on their way; what is not a message says why."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from faust_app.runtime.codec import (
    decode,
    decode_any,
    decode_frame,
    derived,
    encode,
    encode_frame,
    event_time,
    new_id,
    root,
)
from faust_app.runtime.errors import DecodeError, NewerVersion
from models.messages import CATALOGUE
from models.messages.envelope import Envelope
from models.messages.orders import OrderFilled
from models.messages.signals import Signal
from models.messages.ticks import FRAME_VERSION, TickFrame
from tests import factories

AT = datetime(2026, 8, 20, 9, 5, tzinfo=UTC)


def signal_envelope() -> Envelope[Signal]:
    return root(factories.signal(), message_id="root", broker="paper", key="paper:main", source="test", at=AT)


def frame(**values: object) -> TickFrame:
    fields = {
        "version": FRAME_VERSION,
        "id": "id",
        "run_id": "run",
        "sequence": 1,
        "event_time": factories.AT,
        "received_ns": 1,
        "broker": "shared",
        "ticks": (factories.tick(),),
    }
    return TickFrame(**{**fields, **values})  # type: ignore[arg-type]


def test_envelope_survives_the_way() -> None:
    envelope = signal_envelope()
    assert decode(Signal, encode(envelope)) == envelope
    assert decode_any(encode(envelope)) == envelope


def test_money_travels_as_text_without_losing_a_digit() -> None:
    body = factories.filled(factories.order(), 10, "1500.0500", 10)
    raw = encode(root(body, message_id="id", broker="paper", key="k", source="s", at=AT))
    assert b'"price":"1500.0500"' in raw
    assert str(decode(OrderFilled, raw).data.price) == "1500.0500"


def test_every_type_has_its_own_name_and_a_version() -> None:
    names = [name for name, _ in CATALOGUE.values()]
    assert len(names) == len(set(names))
    assert all(version >= 1 for _, version in CATALOGUE.values())


def test_frame_survives_the_way_with_every_field() -> None:
    sent = frame(ticks=(factories.tick(oi=7, last_trade_time=factories.AT), factories.tick(sequence=2)))
    assert decode_frame(encode_frame(sent)) == sent


def test_empty_frame_is_a_clock() -> None:
    assert decode_frame(encode_frame(frame(ticks=()))).ticks == ()


@pytest.mark.parametrize("decoder", [decode_any, decode_frame, lambda raw: decode(Signal, raw)])
def test_message_without_value_is_refused(decoder: object) -> None:
    with pytest.raises(DecodeError, match="no value"):
        decoder(None)  # type: ignore[operator]


def test_other_type_is_refused_with_both_names() -> None:
    raw = encode(signal_envelope())
    with pytest.raises(DecodeError, match="order.filled"):
        decode(OrderFilled, raw)
    renamed = raw.replace(b'"signal.raised"', b'"order.filled"')
    with pytest.raises(DecodeError, match=r"Expected a signal.raised message, got 'order.filled'"):
        decode(Signal, renamed)


def test_unknown_type_is_refused_with_its_name() -> None:
    with pytest.raises(DecodeError, match="Unknown message type 'signal.sung'"):
        decode_any(b'{"type":"signal.sung","version":1}')


def test_version_of_another_type_does_not_make_a_message_newer() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(Signal, b'{"type":"order.filled","version":99}')
    assert not isinstance(caught.value, NewerVersion)


@pytest.mark.parametrize("version", [FRAME_VERSION + 1, 2**60])
def test_newer_frame_is_told_apart(version: int) -> None:
    with pytest.raises(NewerVersion, match=f"version {version} is newer than {FRAME_VERSION}"):
        decode_frame(encode_frame(frame(version=version)))


def test_newer_frame_of_another_shape_is_told_apart() -> None:
    with pytest.raises(NewerVersion):
        decode_frame(b"\x92\x09\xa1x")  # [9, "x"]


@pytest.mark.parametrize("version", [0, -1])
def test_frame_version_below_one_does_not_exist(version: int) -> None:
    with pytest.raises(DecodeError, match="does not exist") as caught:
        decode_frame(encode_frame(frame(version=version)))
    assert not isinstance(caught.value, NewerVersion)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\x98\x01\xa1i\xa1r\x01\x01\x01\xa1s\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
)
def test_frame_that_announces_more_than_it_holds_is_refused_at_once(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_frame(raw)


def test_time_without_zone_is_refused() -> None:
    raw = encode(signal_envelope()).replace(b"2026-08-20T09:05:00Z", b"2026-08-20T09:05:00")
    with pytest.raises(DecodeError, match="occurred_at"):
        decode(Signal, raw)


def test_derived_event_continues_the_chain() -> None:
    cause = signal_envelope()
    filled = factories.filled(factories.order(), 10, "1500", 10)
    event = derived(filled, message_id="fill", cause=cause, key="k", source="engine", at=factories.AT)
    assert (event.causation_id, event.correlation_id, event.trace_id) == ("root", "root", "root")
    assert (event.broker, event.type, event.version) == ("paper", *CATALOGUE[OrderFilled])
    assert event.occurred_at == datetime.fromtimestamp(factories.AT, UTC)
    next_one = derived(filled, message_id="later", cause=event, key="k", source="engine", at=factories.AT)
    assert (next_one.causation_id, next_one.correlation_id) == ("fill", "root")


def test_root_event_starts_a_chain() -> None:
    event = signal_envelope()
    assert (event.causation_id, event.correlation_id, event.trace_id) == (None, "root", "root")


def test_event_time_is_aware_and_utc() -> None:
    assert event_time(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert event_time(1_000_000_000) == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)


def test_new_ids_are_version_seven_and_rise() -> None:
    ids = [new_id() for _ in range(100)]
    assert {UUID(one).version for one in ids} == {7}
    assert ids == sorted(ids)
    assert len(set(ids)) == 100


def test_same_content_gives_the_same_bytes() -> None:
    assert encode(signal_envelope()) == encode(signal_envelope())
