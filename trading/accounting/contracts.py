"""Terms of a futures or options contract, as far as accounting needs them.

A position keeps its own: a contract leaves the instrument dump with its expiry. Index contracts settle in cash on the
index's final price; stock contracts are settled by delivery since October 2019 (SEBI circular of 2018-04-11), and so
is everything not known to be an index contract.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from trading.market.instruments import Instrument

ZERO = Decimal(0)
INDEX_OF = {
    "NIFTY": "NSE:NIFTY 50",
    "BANKNIFTY": "NSE:NIFTY BANK",
    "FINNIFTY": "NSE:NIFTY FIN SERVICE",
    "MIDCPNIFTY": "NSE:NIFTY MID SELECT",
    "NIFTYNXT50": "NSE:NIFTY NEXT 50",
    "SENSEX": "BSE:SENSEX",
    "BANKEX": "BSE:BANKEX",
}


class ContractKind(StrEnum):
    """Kite's instrument types of derivatives."""

    FUTURE = "FUT"
    CALL = "CE"
    PUT = "PE"


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Terms of one contract; `index` is the instrument it settles on in cash, empty for delivery."""

    kind: ContractKind
    expiry: date | None = None
    strike: Decimal = ZERO
    index: str = ""

    @property
    def is_future(self) -> bool:
        """True for a future, False for an option."""
        return self.kind is ContractKind.FUTURE

    def has_expired(self, day: date) -> bool:
        """True from the day after expiry."""
        return self.expiry is not None and self.expiry < day

    def worth_at(self, final: Decimal) -> Decimal:
        """Rupees one unit settles at when the underlying's final price is `final`."""
        match self.kind:
            case ContractKind.FUTURE:
                return final
            case ContractKind.CALL:
                return max(final - self.strike, ZERO)
            case ContractKind.PUT:
                return max(self.strike - final, ZERO)


def contract_of(instrument: Instrument) -> Contract | None:
    """The contract an instrument is, None for shares."""
    if instrument.instrument_type not in list(ContractKind):
        return None
    return Contract(
        kind=ContractKind(instrument.instrument_type),
        expiry=instrument.expiry,
        strike=instrument.strike,
        index=INDEX_OF.get(instrument.name, ""),
    )
