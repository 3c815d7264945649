"""The envelope around every JSON message."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from models.messages.validation import Text

Body = TypeVar("Body")
Timestamp = Annotated[datetime, Meta(tz=True)]


class Envelope(msgspec.Struct, Generic[Body], frozen=True, kw_only=True):
    """What every message on a topic carries around its `data`.

    `id` is a UUID: version 7 for root events, version 5 of redelivery-stable content for derived ones.
    `causation_id` is the id of the event this one follows from (the frame for a signal), and
    `correlation_id` the id of the chain's root. `occurred_at` is event time, not the wall clock.
    """

    id: Text
    type: Text
    version: int
    broker: Text
    key: Text
    source: Text
    occurred_at: Timestamp
    correlation_id: Text
    causation_id: Text | None
    trace_id: Text
    data: Body
