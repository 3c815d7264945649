"""Garbage of every kind ends in DecodeError: nothing else is raised, nothing wrong is let through."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faust_app.runtime.codec import decode, decode_any, decode_frame, encode, encode_frame, root
from faust_app.runtime.errors import DecodeError, NewerVersion
from models.messages import CATALOGUE
from models.messages.orders import OrderFilled
from models.messages.signals import Signal
from models.messages.ticks import FRAME_VERSION, TickFrame
from tests import factories

QUICK = settings(max_examples=100, deadline=None)
AT = datetime(2026, 8, 20, tzinfo=UTC)
SIGNAL = encode(root(factories.signal(), message_id="id", broker="paper", key="paper:main", source="test", at=AT))
FILLED = encode(
    root(
        factories.filled(factories.order(), 10, "1500.05", 10),
        message_id="id",
        broker="paper",
        key="paper:main",
        source="test",
        at=AT,
    )
)
FRAME = encode_frame(
    TickFrame(FRAME_VERSION, "id", "run", 1, factories.AT, 1, "shared", (factories.tick(), factories.tick(sequence=2)))
)
names = st.text(string.ascii_lowercase + "_", max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["NaN", "sNaN", "Infinity", "-Infinity", "1e400", "1e1000000", "1e-1000000", "1_0", "0x10"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)


def paths(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    below = [path for key, value in items for path in paths(value, (*above, key))]
    return [*([above] if above else []), *below]


def changed(raw: bytes, path: tuple[Any, ...], value: Any) -> bytes:
    """The message with `value` at `path`; without the field when `value` is `...`."""
    tree = json.loads(raw)
    place = tree
    for part in path[:-1]:
        place = place[part]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(tree).encode()


def decodes_or_refuses(decoder: Any, *arguments: Any) -> Any:
    """The decoded message or None; any exception but DecodeError fails the test."""
    try:
        return decoder(*arguments)
    except DecodeError as error:
        assert str(error), "a refusal says why"
        return None


def assert_sound(value: Any) -> None:
    """No number in a decoded message is absurd."""
    if isinstance(value, msgspec.Struct):
        value = [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, (list, tuple)):
        for one in value:
            assert_sound(one)
    if isinstance(value, Decimal):
        assert value.is_finite()
        assert abs(value) <= 10**15


@QUICK
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(raw: bytes) -> None:
    for body in CATALOGUE:
        assert decodes_or_refuses(decode, body, raw) is None
    assert decodes_or_refuses(decode_any, raw) is None


@QUICK
@given(st.binary(max_size=200))
def test_random_bytes_are_no_frame(raw: bytes) -> None:
    frame = decodes_or_refuses(decode_frame, raw)
    assert frame is None or frame.version == FRAME_VERSION


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([(Signal, SIGNAL), (OrderFilled, FILLED)]), st.data())
def test_any_value_in_any_field_is_refused_or_sound(message: tuple[type[msgspec.Struct], bytes], data: Any) -> None:
    body, raw = message
    path = data.draw(st.sampled_from(paths(json.loads(raw))))
    damaged = changed(raw, path, data.draw(values))
    found = decodes_or_refuses(decode, body, damaged)
    assert_sound(found)
    assert found == decodes_or_refuses(decode_any, damaged)


@pytest.mark.parametrize("raw", [SIGNAL, FILLED], ids=["signal", "fill"])
def test_every_cut_is_refused(raw: bytes) -> None:
    for length in range(len(raw)):
        with pytest.raises(DecodeError):
            decode_any(raw[:length])


def test_every_cut_of_a_frame_is_refused() -> None:
    for length in range(len(FRAME)):
        with pytest.raises(DecodeError):
            decode_frame(FRAME[:length])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(FRAME) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_frame_is_refused_or_sound(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(FRAME)
    for place, byte in changes:
        damaged[place] = byte
    frame = decodes_or_refuses(decode_frame, bytes(damaged))
    if frame is not None:
        assert frame.version == FRAME_VERSION
        assert all(0 <= tick.last_price_units <= 2**46 for tick in frame.ticks)


@QUICK
@given(st.binary(max_size=20))
def test_bytes_after_a_message_are_refused(tail: bytes) -> None:
    for raw, decoder in ((SIGNAL, decode_any), (FRAME, decode_frame)):
        whole = decodes_or_refuses(decoder, raw + tail)
        assert (whole is not None) == (not tail if raw is FRAME else not tail.strip(b" \t\r\n"))


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"type":"signal.raised","version":1,"data":[', b"\x91", b"\x81\xa1a"]
)
def test_endless_nesting_is_refused(opening: bytes) -> None:
    raw = opening * 50_000
    for decoder in (decode_any, decode_frame):
        with pytest.raises(DecodeError):
            decoder(raw)
    with pytest.raises(DecodeError):
        decode(Signal, raw)


@pytest.mark.parametrize("price", ["1e1000000", "-1e1000000", "1e999999999999", "1e-1000000", "1e99999999999999999999"])
def test_decimal_with_an_absurd_exponent_is_refused(price: str) -> None:
    with pytest.raises(DecodeError):
        decode(Signal, changed(SIGNAL, ("data", "origin", "price"), price))


@QUICK
@given(st.integers(2, 10**30))
def test_newer_version_is_told_apart_whatever_else_changed(version: int) -> None:
    newer = changed(SIGNAL, ("version",), version)
    for raw in (newer, changed(newer, ("data",), {"new": "shape"}), changed(newer, ("broker",), ...)):
        for decoder in (decode_any, lambda value: decode(Signal, value)):
            with pytest.raises(NewerVersion, match=f"signal.raised version {version} is newer than 1"):
                decoder(raw)


@QUICK
@given(st.integers(-(10**30), 0))
def test_version_below_one_does_not_exist(version: int) -> None:
    with pytest.raises(DecodeError, match="does not exist") as caught:
        decode(Signal, changed(SIGNAL, ("version",), version))
    assert not isinstance(caught.value, NewerVersion)
