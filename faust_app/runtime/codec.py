"""Bytes to messages and back. Decoding raises DecodeError (or NewerVersion) and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
import uuid_utils

from faust_app.runtime.errors import DecodeError, NewerVersion
from models.messages import CATALOGUE
from models.messages.envelope import Envelope
from models.messages.ticks import FRAME_VERSION, TickFrame

Body = TypeVar("Body", bound=msgspec.Struct)

_encode_json = msgspec.json.Encoder(decimal_format="string").encode
_encode_frame = msgspec.msgpack.Encoder().encode
_decode_frame = msgspec.msgpack.Decoder(TickFrame).decode
_BY_TYPE = {name: body for body, (name, _) in CATALOGUE.items()}


class Head(msgspec.Struct, frozen=True):
    """The part of an envelope every version has."""

    type: str
    version: int


class _Chain(msgspec.Struct):
    correlation_id: str


class _FrameHead(msgspec.Struct, array_like=True):
    version: int
    id: str


_decode_head = msgspec.json.Decoder(Head).decode
_decode_chain = msgspec.json.Decoder(_Chain).decode
_decode_frame_head = msgspec.msgpack.Decoder(_FrameHead).decode


def new_id() -> str:
    """A fresh UUIDv7, for root events only."""
    return str(uuid_utils.uuid7())


def event_time(epoch_seconds: int) -> datetime:
    """Event seconds as an aware UTC datetime."""
    return datetime.fromtimestamp(epoch_seconds, UTC)


@cache
def _decoder(body: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Envelope[body])  # type: ignore[valid-type]


def encode(envelope: Envelope[Any]) -> bytes:
    """JSON bytes of an envelope."""
    return _encode_json(envelope)


def decode(body: type[Body], raw: bytes | None) -> Envelope[Body]:
    """The envelope in `raw`, with a body of type `body`."""
    name, newest = CATALOGUE[body]
    if raw is None:
        raise DecodeError(f"A {name} message has no value")
    try:
        envelope: Envelope[Body] = _decoder(body).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_newer(raw, name, newest)
        raise DecodeError(f"Not a {name} message: {error}") from error
    if envelope.type != name:
        raise DecodeError(f"Expected a {name} message, got {envelope.type!r}")
    if envelope.version > newest:
        raise NewerVersion(f"{name} version {envelope.version} is newer than {newest}, the newest one known here")
    if envelope.version < 1:
        raise DecodeError(f"{name} version {envelope.version} does not exist")
    return envelope


def decode_any(raw: bytes | None) -> Envelope[Any]:
    """The envelope in `raw`, whatever known type it says it is."""
    if raw is None:
        raise DecodeError("The message has no value")
    try:
        head = _decode_head(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"Not an envelope: {error}") from error
    body = _BY_TYPE.get(head.type)
    if body is None:
        raise DecodeError(f"Unknown message type {head.type!r}")
    return decode(body, raw)


def decode_one_of(bodies: tuple[type[msgspec.Struct], ...], raw: bytes | None) -> Envelope[Any]:
    """The envelope in `raw`, with a body of one of these types."""
    envelope = decode_any(raw)
    if not isinstance(envelope.data, bodies):
        names = " or ".join(CATALOGUE[body][0] for body in bodies)
        raise DecodeError(f"Expected a {names} message, got {envelope.type!r}")
    return envelope


def _refuse_newer(raw: bytes, name: str, newest: int) -> None:
    try:
        head = _decode_head(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if head.type == name and head.version > newest:
        raise NewerVersion(f"{name} version {head.version} is newer than {newest}, the newest one known here")


def chain_of(raw: bytes | None) -> str | None:
    """Correlation id of an envelope or a frame; None of bytes that are neither."""
    if not raw:
        return None
    try:
        return _decode_chain(raw).correlation_id if raw[0] == ord("{") else _decode_frame_head(raw).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def encode_frame(frame: TickFrame) -> bytes:
    """Msgpack bytes of a tick frame."""
    return _encode_frame(frame)


def decode_frame(raw: bytes | None) -> TickFrame:
    """The tick frame in `raw`."""
    if raw is None:
        raise DecodeError("A tick frame has no value")
    try:
        frame = _decode_frame(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_newer_frame(raw)
        raise DecodeError(f"Not a tick frame: {error}") from error
    if frame.version != FRAME_VERSION:
        _refuse_newer_frame(raw)
        raise DecodeError(f"Tick frame version {frame.version} does not exist")
    return frame


def _refuse_newer_frame(raw: bytes) -> None:
    try:
        fields = msgspec.msgpack.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(fields, list) and fields and isinstance(fields[0], int) and fields[0] > FRAME_VERSION:
        raise NewerVersion(f"Tick frame version {fields[0]} is newer than {FRAME_VERSION}, the newest one known here")


def chained(
    body: msgspec.Struct,
    *,
    message_id: str,
    broker: str,
    key: str,
    source: str,
    at: int,
    first: str,
    cause: str | None,
) -> Envelope[Any]:
    """An envelope at event second `at` in the chain that `first` began; it follows from `cause`. Both are ids."""
    name, version = CATALOGUE[type(body)]
    return Envelope(
        id=message_id,
        type=name,
        version=version,
        broker=broker,
        key=key,
        source=source,
        occurred_at=event_time(at),
        correlation_id=first,
        causation_id=cause,
        trace_id=first,
        data=body,
    )


def derived(
    body: msgspec.Struct, *, message_id: str, cause: Envelope[Any], key: str, source: str, at: int
) -> Envelope[Any]:
    """An envelope for an event that follows from `cause`, at event second `at`."""
    return chained(
        body,
        message_id=message_id,
        broker=cause.broker,
        key=key,
        source=source,
        at=at,
        first=cause.correlation_id,
        cause=cause.id,
    )


def root(body: msgspec.Struct, *, message_id: str, broker: str, key: str, source: str, at: datetime) -> Envelope[Any]:
    """An envelope for an event that starts a chain: a frame's marks, an operator's command."""
    name, version = CATALOGUE[type(body)]
    return Envelope(
        id=message_id,
        type=name,
        version=version,
        broker=broker,
        key=key,
        source=source,
        occurred_at=at,
        correlation_id=message_id,
        causation_id=None,
        trace_id=message_id,
        data=body,
    )
