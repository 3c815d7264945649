"""What a broker answers to a write: it has taken it, it has not, or nobody knows until its book is read."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RefusalKind(StrEnum):
    """Why a broker has not taken a write."""

    REJECTED = "rejected"  # it does not want this one
    SESSION = "session"  # the access token counts no more
    RATE = "rate"  # too many at once
    UNREACHED = "unreached"  # the request never left


class Taken(msgspec.Struct, frozen=True):
    """The broker has the order under this number. What becomes of it is for its reports to say."""

    broker_order_id: str


class Refused(msgspec.Struct, frozen=True):
    """The broker certainly has not taken it."""

    kind: RefusalKind
    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """The request may have been taken: only the broker's book can tell. Never to be sent again."""

    reason: str


Answer = Taken | Refused | Unknown
