"""What is known of instruments from day to day: the stored listings and a day's dump become the new listings.

Pure: the same listings and dump give the same update. An instrument that is no longer in the dump of its exchange is
kept and marked; a dump says nothing of exchanges it has no instrument of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from trading.market.instrument_dump import Dump
from trading.market.instrument_findings import Finding, FindingCode, count_by_code
from trading.market.instruments import CASH_EXCHANGES, DERIVATIVE_EXCHANGES, INDICES, Instrument

MOST_REFUSED_PERCENT = 10
MOST_VANISHED_PERCENT = 50
SHOWN = 5
SERIES = re.compile(r"(.+)-([A-Z0-9]{2})")
TRADE_TO_TRADE = ("BE", "BZ")
CHANGES = (
    ("tick_size", FindingCode.TICK_SIZE_CHANGED),
    ("lot_size", FindingCode.LOT_SIZE_CHANGED),
    ("expiry", FindingCode.CONTRACT_CHANGED),
    ("strike", FindingCode.CONTRACT_CHANGED),
    ("instrument_type", FindingCode.CONTRACT_CHANGED),
    ("segment", FindingCode.CONTRACT_CHANGED),
    ("instrument_token", FindingCode.TOKEN_CHANGED),
)
Listings = dict[str, "Listing"]


class Listing(msgspec.Struct, frozen=True):
    """An instrument, the day of the newest dump that has it, and of the first one that no longer had it."""

    instrument: Instrument
    listed_on: date
    vanished_on: date | None = None

    @property
    def is_listed(self) -> bool:
        """False once it has vanished."""
        return self.vanished_on is None

    def is_live(self, day: date) -> bool:
        """True when it is listed and has not expired before `day`."""
        return self.is_listed and (self.instrument.expiry is None or self.instrument.expiry >= day)


class Update(msgspec.Struct, frozen=True):
    """What a dump makes of the stored listings: all by key, those to write, and what was noticed."""

    listings: Listings
    written: tuple[Listing, ...]
    findings: tuple[Finding, ...]
    added: int
    changed: int
    vanished: int
    expired: int  # of the vanished


def update(stored: Mapping[str, Listing], dump: Dump, freeze_quantities: Mapping[str, int]) -> Update:
    """The listings after the dump's day."""
    named = {line: _complete(one, stored, freeze_quantities) for line, one in dump.instruments.items()}
    fresh = {one.key: Listing(one, dump.day) for one in named.values()}
    gone = _gone(stored, fresh, dump)
    listings = _with_derivatives({**stored, **gone, **fresh}, dump.day)
    changed = [key for key in fresh if key in stored and stored[key].instrument != listings[key].instrument]
    findings = (
        *dump.findings,
        *_differences(stored, named),
        *_moves(stored, gone, named, dump),
        *_freeze_findings(dump, named, freeze_quantities),
        *_derivative_findings(listings, dump.day),
    )
    return Update(
        listings=listings,
        written=tuple(one for key, one in listings.items() if stored.get(key) != one),
        findings=tuple(sorted(findings, key=lambda one: (not one.line, one.line))),
        added=len(fresh.keys() - stored.keys()),
        changed=len(changed),
        vanished=len(gone),
        expired=sum(not _is_open(one, dump.day) for one in gone.values()),
    )


def _complete(one: Instrument, stored: Mapping[str, Listing], freeze_quantities: Mapping[str, int]) -> Instrument:
    """With what the dump does not have: an operator's group, the freeze quantity."""
    before = stored.get(one.key)
    freeze = freeze_quantities.get(one.underlying) if one.exchange in DERIVATIVE_EXCHANGES else None
    return replace(
        one,
        group=before.instrument.group if before else one.group,
        freeze_quantity=freeze if freeze is not None and freeze >= one.lot_size else None,
    )


def _gone(stored: Mapping[str, Listing], fresh: Listings, dump: Dump) -> Listings:
    exchanges = {one.exchange for one in dump.instruments.values()}
    return {
        key: replace(one, vanished_on=dump.day)
        for key, one in stored.items()
        if one.is_listed and key not in fresh and one.instrument.exchange in exchanges
    }


def _is_open(one: Listing, day: date) -> bool:
    return one.instrument.expiry is None or one.instrument.expiry >= day


def _with_derivatives(listings: Listings, day: date) -> Listings:
    """Cash stocks know whether a live contract is written on them."""
    live = {
        one.instrument.underlying
        for one in listings.values()
        if one.instrument.exchange in DERIVATIVE_EXCHANGES and one.is_live(day)
    }
    found = {}
    for key, one in listings.items():
        has = _is_cash(one.instrument) and one.instrument.tradingsymbol in live
        same = has is one.instrument.has_derivatives
        found[key] = one if same else replace(one, instrument=replace(one.instrument, has_derivatives=has))
    return found


def _is_cash(one: Instrument) -> bool:
    return one.exchange in CASH_EXCHANGES and one.segment != INDICES


def _differences(stored: Mapping[str, Listing], named: Mapping[int, Instrument]) -> Iterator[Finding]:
    """What the dump says otherwise than before, and tokens that were another's."""
    holders = {one.instrument.instrument_token: key for key, one in stored.items() if not one.is_listed}
    holders |= {one.instrument.instrument_token: key for key, one in stored.items() if one.is_listed}
    for line, one in named.items():
        before = stored.get(one.key)
        if before is not None:
            yield from _changes(line, before, one)
        holder = holders.get(one.instrument_token, one.key)
        if holder != one.key:
            reason = f"Token {one.instrument_token} of {one.key} was {holder}'s"
            yield Finding(line, one.key, FindingCode.TOKEN_REUSED, reason)


def _changes(line: int, before: Listing, one: Instrument) -> Iterator[Finding]:
    if not before.is_listed:
        yield Finding(line, one.key, FindingCode.RETURNED, f"{one.key} had vanished on {before.vanished_on}")
    for name, code in CHANGES:
        old, new = getattr(before.instrument, name), getattr(one, name)
        if old != new:
            yield Finding(line, one.key, code, f"{name} of {one.key} is {_plain(new)}, was {_plain(old)}")


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _moves(
    stored: Mapping[str, Listing], gone: Listings, named: Mapping[int, Instrument], dump: Dump
) -> Iterator[Finding]:
    """Stocks that changed their series, and instruments that vanished. Contracts that expired are not news."""
    left = {_company(one.instrument): key for key, one in gone.items() if _is_cash(one.instrument)}
    moved = set()
    for line, one in named.items():
        known = stored.get(one.key)
        before = left.get(_company(one)) if _is_cash(one) else None
        if before is not None and (known is None or not known.is_listed):
            moved.add(before)
            series = _series(one)
            note = ": trade to trade, no intraday orders" if series in TRADE_TO_TRADE else ""
            reason = f"{before} is now {one.key} (series {series}){note}"
            yield Finding(line, one.key, FindingCode.SERIES_CHANGED, reason)
    refused = {one.key for one in dump.findings if one.is_refusal}
    for key, listing in gone.items():
        if key not in moved and _is_open(listing, dump.day):
            why = "its line is refused" if key in refused else "it is not in the dump"
            reason = f"{key}, last listed on {listing.listed_on}, is no longer: {why}"
            yield Finding(0, key, FindingCode.VANISHED, reason)


def _company(one: Instrument) -> tuple[str, str]:
    found = SERIES.fullmatch(one.tradingsymbol)
    return one.exchange, found[1] if found else one.tradingsymbol


def _series(one: Instrument) -> str:
    found = SERIES.fullmatch(one.tradingsymbol)
    return found[2] if found else "EQ"


def _freeze_findings(
    dump: Dump, named: Mapping[int, Instrument], freeze_quantities: Mapping[str, int]
) -> Iterator[Finding]:
    contracts = [(line, one) for line, one in named.items() if one.exchange in DERIVATIVE_EXCHANGES]
    for line, one in contracts:
        freeze = freeze_quantities.get(one.underlying)
        if freeze is not None and freeze < one.lot_size:
            reason = f"The freeze quantity {freeze} of {one.underlying} is below one lot, {one.lot_size}"
            yield Finding(line, one.key, FindingCode.FREEZE_BELOW_LOT, reason)
    unknown = sorted({one.underlying for _, one in contracts} - freeze_quantities.keys())
    if unknown:
        reason = f"No freeze quantity is configured for {len(unknown)} underlyings on {dump.day}: {_some(unknown)}"
        yield Finding(0, "", FindingCode.FREEZE_QUANTITY_UNKNOWN, reason)


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _derivative_findings(listings: Listings, day: date) -> Iterator[Finding]:
    if not any(_is_cash(one.instrument) and one.is_listed for one in listings.values()):
        return
    newest = _newest(one for one in listings.values() if one.instrument.exchange in DERIVATIVE_EXCHANGES)
    if newest is None:
        reason = "No NFO or BFO contract is known: no stock is taken to have derivatives"
    elif newest < day:
        reason = f"The newest NFO and BFO contracts are of {newest}, not of {day}: load that day's dump too"
    else:
        return
    yield Finding(0, "", FindingCode.OLD_DERIVATIVES, reason)


def _newest(listings: Iterable[Listing]) -> date | None:
    return max((one.listed_on for one in listings if one.is_listed), default=None)


def objection(dump: Dump) -> str | None:
    """Why a dump is refused whole, whoever asks: too little of it can be used."""
    refused = sum(one.is_refusal for one in dump.findings)
    if dump.instruments and refused * 100 <= dump.lines * MOST_REFUSED_PERCENT:
        return None
    first = next((one for one in dump.findings if one.is_refusal), None)
    if first is None:
        return "It holds no instrument"
    if not dump.lines:
        return first.reason
    counts = ", ".join(f"{code.value} {count}" for code, count in count_by_code(dump.findings).items())
    return (
        f"{refused} of {dump.lines} lines are refused, more than {MOST_REFUSED_PERCENT} % "
        f"({counts}; first, line {first.line}: {first.reason})"
    )


def doubts(stored: Mapping[str, Listing], dump: Dump, today: date, made: Update) -> list[Finding]:
    """Why a dump is refused unless somebody insists: it is old, or lacks most of what was listed."""
    exchanges = sorted({one.exchange for one in dump.instruments.values()})
    known = [one for one in stored.values() if one.is_listed and one.instrument.exchange in exchanges]
    newest = max(_newest(known) or today, today)
    expected = sum(_is_open(one, dump.day) for one in known)
    lost = made.vanished - made.expired
    found = []
    if dump.day < newest:
        reason = f"The dump is of {dump.day}, older than {'today' if newest == today else 'the one loaded'}, {newest}"
        found.append(Finding(0, "", FindingCode.OLD_DUMP, reason))
    if lost * 100 > expected * MOST_VANISHED_PERCENT:
        reason = f"The dump lacks {lost} of the {expected} instruments of {', '.join(exchanges)} listed before"
        found.append(Finding(0, "", FindingCode.INCOMPLETE_DUMP, reason))
    return found
