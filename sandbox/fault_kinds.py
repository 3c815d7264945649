"""Every kind of fault: on what occasion it may strike, and what goes wrong then. Listed in docs/sandbox_faults.md."""

from __future__ import annotations

from enum import StrEnum


class Occasion(StrEnum):
    """When a fault may strike."""

    CALL = "a call to one of `endpoints`"
    ORDER = "an order that is checked, matched, modified or cancelled"
    UPDATE = "an order update"
    BATCH = "a batch of ticks"
    BEAT = "a look at the connections, four a second"
    SUBSCRIPTION = "a subscription"
    ALWAYS = "as long as it is on"


class Kind(StrEnum):
    """What goes wrong."""

    NO_ANSWER = "no_answer"
    TIMED_OUT = "timed_out"
    TOO_MANY_REQUESTS = "too_many_requests"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    EMPTY_BODY = "empty_body"
    EMPTY_OBJECT = "empty_object"
    NO_CONTENT_TYPE = "no_content_type"
    SLOW = "slow"
    RESET = "reset"
    UPDATE_FIRST = "update_first"
    SECOND_LOGIN = "second_login"
    REJECT = "reject"
    PARTIAL_THEN_CANCEL = "partial_then_cancel"
    SLOW_VALIDATION = "slow_validation"
    SLOW_MODIFICATION = "slow_modification"
    MODIFICATION_REFUSED = "modification_refused"
    FILL_AFTER_CANCEL = "fill_after_cancel"
    CANCELLATION_REFUSED = "cancellation_refused"
    UPDATE_DUPLICATED = "update_duplicated"
    UPDATE_LOST = "update_lost"
    UPDATE_REORDERED = "update_reordered"
    UPDATE_AFTER_COMPLETE = "update_after_complete"
    HEARTBEATS_ONLY = "heartbeats_only"
    TICKS_DUPLICATED = "ticks_duplicated"
    TICKS_REORDERED = "ticks_reordered"
    VOLUME_BACKWARDS = "volume_backwards"
    TRUNCATED_FRAME = "truncated_frame"
    UNKNOWN_PACKET = "unknown_packet"
    FROZEN_SOCKET = "frozen_socket"
    DISCONNECT = "disconnect"
    STALE_FIRST_TICK = "stale_first_tick"
    CHANGED_DUMP = "changed_dump"


MEANINGS: dict[Kind, tuple[Occasion, str]] = {
    Kind.NO_ANSWER: (Occasion.CALL, "It is never answered: the client times out."),
    Kind.TIMED_OUT: (
        Occasion.CALL,
        'HTTP 400 "Order request timed out ...", yet the order is accepted and goes on after `seconds`.',
    ),
    Kind.TOO_MANY_REQUESTS: (Occasion.CALL, "HTTP 429."),
    Kind.SERVER_ERROR: (Occasion.CALL, "HTTP `status` with Kite's error body."),
    Kind.BAD_GATEWAY: (Occasion.CALL, "HTTP 502 with an HTML page."),
    Kind.EMPTY_BODY: (Occasion.CALL, "HTTP 200 without a body."),
    Kind.EMPTY_OBJECT: (Occasion.CALL, "HTTP 200 with `{}`."),
    Kind.NO_CONTENT_TYPE: (Occasion.CALL, "The right answer without a content type."),
    Kind.SLOW: (Occasion.CALL, "The right answer after `seconds`."),
    Kind.RESET: (Occasion.CALL, "The connection is reset in place of an answer."),
    Kind.UPDATE_FIRST: (Occasion.CALL, "Order updates arrive `seconds` before the answer to their call."),
    Kind.SECOND_LOGIN: (Occasion.CALL, "Somebody logs in elsewhere: the access token is dead from this call on."),
    Kind.REJECT: (Occasion.ORDER, "The order is rejected, as for `reason`: margin, circuit or freeze."),
    Kind.PARTIAL_THEN_CANCEL: (Occasion.ORDER, "An order that trades gets half and is cancelled."),
    Kind.SLOW_VALIDATION: (Occasion.ORDER, "A new order stays in its first state for `seconds`."),
    Kind.SLOW_MODIFICATION: (Occasion.ORDER, "A modification is pending for `seconds`; other changes are refused."),
    Kind.MODIFICATION_REFUSED: (Occasion.ORDER, "The exchange does not modify: `NOT MODIFIED`."),
    Kind.FILL_AFTER_CANCEL: (Occasion.ORDER, "A cancelled order fills after `seconds`, in full."),
    Kind.CANCELLATION_REFUSED: (Occasion.ORDER, "The exchange does not cancel: `NOT CANCELLED`."),
    Kind.UPDATE_DUPLICATED: (Occasion.UPDATE, "It comes twice."),
    Kind.UPDATE_LOST: (Occasion.UPDATE, "It does not come."),
    Kind.UPDATE_REORDERED: (Occasion.UPDATE, "It comes after the one that follows it."),
    Kind.UPDATE_AFTER_COMPLETE: (Occasion.UPDATE, "After `COMPLETE` comes an older `UPDATE` with half the quantity."),
    Kind.HEARTBEATS_ONLY: (Occasion.BATCH, "The batch is not sent; heartbeats go on."),
    Kind.TICKS_DUPLICATED: (Occasion.BATCH, "Every tick of it comes twice."),
    Kind.TICKS_REORDERED: (Occasion.BATCH, "It comes after the batch that follows it."),
    Kind.VOLUME_BACKWARDS: (Occasion.BATCH, "Its first tick says half its volume."),
    Kind.TRUNCATED_FRAME: (Occasion.BATCH, "Before it comes a frame that ends too soon."),
    Kind.UNKNOWN_PACKET: (Occasion.BATCH, "Before it comes a packet of a length nobody knows."),
    Kind.FROZEN_SOCKET: (Occasion.BEAT, "Connections stay open, for ever silent and deaf; new ones work."),
    Kind.DISCONNECT: (Occasion.BEAT, "Connections are cut."),
    Kind.STALE_FIRST_TICK: (Occasion.SUBSCRIPTION, "The cached tick is `seconds` old."),
    Kind.CHANGED_DUMP: (
        Occasion.ALWAYS,
        "Another day's instruments: one gone, one with another symbol and token, one with another tick size, one new.",
    ),
}
CALL_KINDS = tuple(kind for kind, (occasion, _) in MEANINGS.items() if occasion is Occasion.CALL)
UNTOUCHED = (Kind.TOO_MANY_REQUESTS, Kind.SERVER_ERROR, Kind.BAD_GATEWAY, Kind.SECOND_LOGIN)
DEFAULT_SECONDS = {
    Kind.TIMED_OUT: 8.0,
    Kind.SLOW: 2.0,
    Kind.UPDATE_FIRST: 0.3,
    Kind.SLOW_VALIDATION: 8.0,
    Kind.SLOW_MODIFICATION: 2.0,
    Kind.STALE_FIRST_TICK: 3_600.0,
}
