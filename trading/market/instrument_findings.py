"""What is noticed while a dump of instruments is loaded: lines that are refused, and changes that are accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec


class FindingCode(StrEnum):
    """Why a line was refused, or what about it deserves attention."""

    WRONG_COLUMNS = "wrong_columns"
    MALFORMED_ROW = "malformed_row"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - an instrument's
    DUPLICATE_KEY = "duplicate_key"
    DUPLICATE_TOKEN = "duplicate_token"  # noqa: S105
    NO_TICK_SIZE = "no_tick_size"
    NO_LOT_SIZE = "no_lot_size"
    EXPIRED = "expired"
    OLD_DUMP = "old_dump"
    INCOMPLETE_DUMP = "incomplete_dump"
    TOKEN_REUSED = "token_reused"  # noqa: S105
    TOKEN_CHANGED = "token_changed"  # noqa: S105
    SERIES_CHANGED = "series_changed"
    TICK_SIZE_CHANGED = "tick_size_changed"
    LOT_SIZE_CHANGED = "lot_size_changed"
    CONTRACT_CHANGED = "contract_changed"
    VANISHED = "vanished"
    RETURNED = "returned"
    FREEZE_QUANTITY_UNKNOWN = "freeze_quantity_unknown"
    FREEZE_BELOW_LOT = "freeze_below_lot"
    OLD_DERIVATIVES = "old_derivatives"

    @property
    def is_refusal(self) -> bool:
        """True when the line was not taken; otherwise it was, with this notice."""
        return self in REFUSALS


REFUSALS = frozenset(
    {
        FindingCode.WRONG_COLUMNS,
        FindingCode.MALFORMED_ROW,
        FindingCode.WRONG_TOKEN,
        FindingCode.DUPLICATE_KEY,
        FindingCode.DUPLICATE_TOKEN,
        FindingCode.NO_TICK_SIZE,
        FindingCode.NO_LOT_SIZE,
        FindingCode.EXPIRED,
    }
)
MEANINGS: dict[FindingCode, str] = {
    FindingCode.WRONG_COLUMNS: "The first line does not name the columns of Kite's dump.",
    FindingCode.MALFORMED_ROW: "The line is no instrument.",
    FindingCode.WRONG_TOKEN: "The token is not exchange token * 256 + segment.",
    FindingCode.DUPLICATE_KEY: "The instrument appears twice; the first line counts.",
    FindingCode.DUPLICATE_TOKEN: "Two instruments share a token; the first line counts.",
    FindingCode.NO_TICK_SIZE: "A tradable instrument has tick size 0.",
    FindingCode.NO_LOT_SIZE: "A tradable instrument has lot size 0.",
    FindingCode.EXPIRED: "The contract expired before the dump's day.",
    FindingCode.OLD_DUMP: "The dump is of an earlier day and was loaded all the same.",
    FindingCode.INCOMPLETE_DUMP: "The dump lacks most of what was listed and was loaded all the same.",
    FindingCode.TOKEN_REUSED: "The token was another instrument's.",
    FindingCode.TOKEN_CHANGED: "The instrument has another token than before.",
    FindingCode.SERIES_CHANGED: "The stock moved to another series, with another symbol and token.",
    FindingCode.TICK_SIZE_CHANGED: "The tick size is another than before.",
    FindingCode.LOT_SIZE_CHANGED: "The lot size is another than before.",
    FindingCode.CONTRACT_CHANGED: "Expiry, strike, type or segment is another than before.",
    FindingCode.VANISHED: "It was listed before and no longer is; kept, marked, not traded.",
    FindingCode.RETURNED: "It had vanished and is listed again.",
    FindingCode.FREEZE_QUANTITY_UNKNOWN: "No freeze quantity is configured for the contract's underlying.",
    FindingCode.FREEZE_BELOW_LOT: "The configured freeze quantity is below one lot and was left out.",
    FindingCode.OLD_DERIVATIVES: "Which stocks have derivatives follows from contracts of an earlier day, or of none.",
}


class Finding(msgspec.Struct, frozen=True):
    """One thing noticed. `line` counts from 1, the header included; 0 when it is of no line of the dump."""

    line: int
    key: str
    code: FindingCode
    reason: str

    @property
    def is_refusal(self) -> bool:
        """True when the line was not taken."""
        return self.code.is_refusal


def count_by_code(findings: Iterable[Finding]) -> dict[FindingCode, int]:
    """How many there are of each code: refusals first, then in the order of the codes."""
    counts = Counter(one.code for one in findings)
    order = sorted(FindingCode, key=lambda code: not code.is_refusal)
    return {code: counts[code] for code in order if counts[code]}
