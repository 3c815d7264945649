"""What a comparison with the broker has found. Money and quantities stay text, as the comparison tells them."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from models.messages.validation import Checked, Count, Note, Seconds, Text

REFERENCE_LENGTH = 8
Keys = tuple[Text, ...]


class DifferenceState(StrEnum):
    """What has become of a difference."""

    APPEARED = "appeared"  # it counts from now on
    CHANGED = "changed"  # it has other values, which nobody has accepted
    ACCEPTED = "accepted"  # an operator says that it is right
    RESOLVED = "resolved"  # it is no more


class OpenDifference(Checked, frozen=True, kw_only=True):
    """A difference as it stands. `key` stays the same while it lasts; `value` is what an acceptance is of.

    `severity` says what it stops while it is not accepted; `instrument` is empty when it concerns the account.
    """

    key: Text
    kind: Text
    subject: Text
    severity: Text
    instrument: Note = ""
    ours: Note
    theirs: Note
    value: Note
    since: Seconds
    is_accepted: bool = False

    @property
    def reference(self) -> str:
        """A short name for people, of this difference with this value."""
        name = f"{self.key}\x1f{self.value}".encode()
        return hashlib.sha256(name).hexdigest()[:REFERENCE_LENGTH]


class ReconciliationDifference(Checked, frozen=True, kw_only=True):
    """`reconciliation.difference` on `{b}.reconciliation`: a typed difference, when something becomes of it."""

    account: Text
    state: DifferenceState
    difference: OpenDifference
    at: Seconds


class ReconciliationRound(Checked, frozen=True, kw_only=True):
    """`reconciliation.round` on `{b}.reconciliation`: all differences that are open after a comparison.

    `unread` names what of the broker's books could not be read; those differences are as they were before. `asked` is
    the number of the operator's request it answers, empty for a round of its own.
    """

    account: Text
    at: Seconds
    number: Count
    open: tuple[OpenDifference, ...] = ()
    blocks_account: bool = False
    blocked_instruments: Keys = ()
    unread: Keys = ()
    asked: Note = ""


class ReconciliationAsked(Checked, frozen=True, kw_only=True):
    """`control.reconciliation_asked`: an operator wants a comparison now. `number` is the request's own."""

    account: Text
    number: Text
    actor: Text


class AcceptedDifference(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptance: of a difference by its key, with this value and no other."""

    key: Text
    value: Note


class DifferencesAccepted(Checked, frozen=True, kw_only=True):
    """`control.differences_accepted`: an operator says that these differences are right as they are."""

    account: Text
    accepted: tuple[AcceptedDifference, ...]
    actor: Text
    reason: Note
