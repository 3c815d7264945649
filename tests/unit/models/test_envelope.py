"""The envelope: versions this code does not know are refused, and so is everything that is no envelope."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faust_app.runtime import codec
from faust_app.runtime.errors import DecodeError, NewerVersion
from models.messages.control import LimitsChanged
from models.messages.signals import Signal
from models.messages.ticks import FRAME_VERSION, TickFrame
from tests import factories as build


def document(**changes: Any) -> bytes:
    envelope = codec.root(
        LimitsChanged(scope="paper:main", actor="me", reason=""),
        message_id="id",
        broker="paper",
        key="paper:main",
        source="test",
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    return json.dumps(json.loads(codec.encode(envelope)) | changes).encode()


def test_an_envelope_comes_back_as_it_was_sent() -> None:
    found = codec.decode(LimitsChanged, document())
    assert (found.data.scope, found.correlation_id, found.causation_id) == ("paper:main", "id", None)
    assert found.occurred_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("version", [2, 10**400])
def test_a_newer_version_is_refused_as_such(version: int) -> None:
    with pytest.raises(NewerVersion, match="is newer than 1, the newest one known here"):
        codec.decode(LimitsChanged, document(version=version))


def test_a_newer_version_is_named_even_when_its_body_has_changed() -> None:
    with pytest.raises(NewerVersion, match=r"control.limits version 2"):
        codec.decode(LimitsChanged, document(version=2, data={"entirely": "different"}))


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_refused(version: int) -> None:
    with pytest.raises(DecodeError, match="does not exist"):
        codec.decode(LimitsChanged, document(version=version))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": None},
        {"occurred_at": "2026-11-20T10:00:00"},
        {"occurred_at": "yesterday"},
        {"version": "1"},
        {"version": 1.5},
        {"data": None},
        {"data": []},
        {"key": 1},
        {"type": "control.strategies"},
    ],
    ids=str,
)
def test_a_broken_envelope_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        codec.decode(LimitsChanged, document(**changes))


@pytest.mark.parametrize("name", json.loads(document()))
def test_every_field_of_the_envelope_must_be_there(name: str) -> None:
    less = {key: value for key, value in json.loads(document()).items() if key != name}
    with pytest.raises(DecodeError, match=name):
        codec.decode(LimitsChanged, json.dumps(less).encode())


@pytest.mark.parametrize(
    "raw", [None, b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"type":1}', b'{"id":"\\ud800"}']
)
def test_garbage_is_refused_by_every_decoder(raw: bytes | None) -> None:
    for decode in (lambda: codec.decode(Signal, raw), lambda: codec.decode_any(raw), lambda: codec.decode_frame(raw)):
        with pytest.raises(DecodeError):
            decode()


def test_a_type_nobody_knows_is_named() -> None:
    with pytest.raises(DecodeError, match=r"Unknown message type 'order\.dreamt'"):
        codec.decode_any(document(type="order.dreamt"))


def test_a_newer_frame_is_refused_as_such() -> None:
    frame = TickFrame(FRAME_VERSION + 1, "id", "run", 1, build.AT, 1, "shared")
    with pytest.raises(NewerVersion, match="Tick frame version 2 is newer than 1"):
        codec.decode_frame(codec.encode_frame(frame))
