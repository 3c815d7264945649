"""Kite's words: closed sets as they appear in requests and answers."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """`transaction_type`."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Product(StrEnum):
    """How a position is margined and when it has to be closed."""

    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"
    CO = "CO"
    MTF = "MTF"


class OrderType(StrEnum):
    """`order_type`."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"


STOPS = (OrderType.SL, OrderType.SL_M)
UNPRICED = (OrderType.MARKET, OrderType.SL_M)


class Validity(StrEnum):
    """How long an order works."""

    DAY = "DAY"
    IOC = "IOC"
    TTL = "TTL"


class Variety(StrEnum):
    """The last part of the path of an order call."""

    REGULAR = "regular"
    AMO = "amo"
    CO = "co"
    ICEBERG = "iceberg"
    AUCTION = "auction"


class Status(StrEnum):
    """States of an order as its history names them. `UPDATE` appears in order updates only."""

    RECEIVED = "PUT ORDER REQ RECEIVED"
    AMO_RECEIVED = "AMO REQ RECEIVED"
    MODIFY_AMO_RECEIVED = "MODIFY AMO REQ RECEIVED"
    VALIDATION_PENDING = "VALIDATION PENDING"
    OPEN_PENDING = "OPEN PENDING"
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER PENDING"
    MODIFY_VALIDATION_PENDING = "MODIFY VALIDATION PENDING"
    MODIFY_PENDING = "MODIFY PENDING"
    MODIFIED = "MODIFIED"
    NOT_MODIFIED = "NOT MODIFIED"
    CANCEL_PENDING = "CANCEL PENDING"
    NOT_CANCELLED = "NOT CANCELLED"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    UPDATE = "UPDATE"


ENDS = (Status.COMPLETE, Status.CANCELLED, Status.REJECTED)
RESTING = (Status.OPEN, Status.TRIGGER_PENDING)
