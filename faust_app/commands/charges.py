"""`alpha-panda charges`: a brokerage calculator from the dated table of charges."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faust_app.commands.output import AsJson, show, to_json
from faust_app.runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from models.messages.orders import Side
    from trading.charges.calculator import Estimate, Leg
    from trading.charges.charges import Charges
    from trading.charges.rates import SegmentKind

PARTS = ("brokerage", "stt", "transaction", "sebi", "stamp", "gst")
COLUMNS = ("order", "turnover", *PARTS, "total")
EXCHANGES = ("NSE", "BSE", "NFO", "BFO")
MOST_QUANTITY = 10**9
MOST_PRICE = 10**9
LEG = re.compile(r"([0-9]{1,12})@([0-9]{1,12}(?:\.[0-9]{1,4})?)")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def charges(
        segment: Annotated[str, typer.Option(help="equity-intraday, equity-delivery, futures or options.")],
        buy: Annotated[list[str] | None, typer.Option(help="QUANTITY@PRICE of an executed order; repeatable.")] = None,
        sell: Annotated[list[str] | None, typer.Option(help="QUANTITY@PRICE of an executed order; repeatable.")] = None,
        exchange: Annotated[str, typer.Option(help="NSE or BSE; NFO and BFO are their derivatives.")] = "NSE",
        day: Annotated[str | None, typer.Option("--date", help="YYYY-MM-DD whose rates hold; today without.")] = None,
        contract_note: Annotated[
            bool, typer.Option("--contract-note", help="Round STT and stamp duty to the rupee, as contract notes do.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """What orders cost in brokerage and taxes, and what is left of their profit.

        Every --buy and --sell is one executed order of QUANTITY units (not lots) at PRICE rupees; for options the
        price is the premium. Amounts are rupees: parts to 1/10,000, sums to the paisa. Example: alpha-panda charges
        --segment equity-intraday --buy 100@1500 --sell 100@1510
        """
        from models.messages.orders import Side
        from trading.charges.calculator import estimate

        legs = [_leg(Side.BUY, text) for text in buy or ()] + [_leg(Side.SELL, text) for text in sell or ()]
        if not legs:
            raise ConfigurationError("Name at least one order: --buy or --sell QUANTITY@PRICE, for example 100@1500")
        kind, where, on = _kind(segment), _exchange(exchange), _day(day)
        if kind.is_equity and where in ("NFO", "BFO"):
            raise ConfigurationError(f"Shares trade on NSE or BSE, not on {where}")
        found = estimate(kind, where, legs, on, contract_note=contract_note)
        result = {"segment": kind.value, "exchange": where, "date": on.isoformat(), **_result(found, kind, on)}
        if as_json:
            typer.echo(to_json(result))
        else:
            _show(result)


def _kind(text: str) -> SegmentKind:
    from trading.charges.rates import SegmentKind

    try:
        return SegmentKind(text.lower())
    except ValueError:
        raise ConfigurationError(f"There is no segment {text!r}; segments: {', '.join(SegmentKind)}") from None


def _exchange(text: str) -> str:
    if text.upper() not in EXCHANGES:
        raise ConfigurationError(f"There are no charges for {text!r}; exchanges: {', '.join(EXCHANGES)}")
    return text.upper()


def _leg(side: Side, text: str) -> Leg:
    from trading.charges.calculator import Leg

    found = LEG.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"{text!r} is not QUANTITY@PRICE, for example 100@1500.50")
    leg = Leg(side, int(found[1]), Decimal(found[2]))
    if not (0 < leg.quantity <= MOST_QUANTITY and 0 < leg.price <= MOST_PRICE):
        raise ConfigurationError(f"{text!r}: quantity and price must be above 0 and at most {MOST_QUANTITY:,}")
    return leg


def _day(text: str | None) -> date:
    from trading.market.sessions import IST

    if text is None:
        return datetime.now(IST).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a date like 2026-11-20") from None


def _result(found: Estimate, kind: SegmentKind, on: date) -> dict[str, Any]:
    from trading.charges.calculator import PAISA
    from trading.charges.fees import dp_charge
    from trading.charges.rates import SegmentKind

    sells = any(leg.side.sign < 0 for leg, _ in found.legs)
    return {
        "legs": [
            {"side": leg.side.value, "quantity": leg.quantity, "price": leg.price, "turnover": leg.turnover}
            | _parts(charges)
            | {"total": charges.total}
            for leg, charges in found.legs
        ],
        "charges": _parts(found.charges) | {"total": found.charges.total.quantize(PAISA)},
        "turnover": found.turnover,
        "closed_quantity": found.closed_quantity,
        "open_quantity": found.open_quantity,
        "gross_pnl": found.gross,
        "net_pnl": found.net,
        "break_even_points": found.break_even_points,
        "depository_charge": dp_charge(on) if kind is SegmentKind.EQUITY_DELIVERY and sells else None,
    }


def _parts(charges: Charges) -> dict[str, Decimal]:
    return {part: getattr(charges, part) for part in PARTS}


def _show(result: dict[str, Any]) -> None:
    rows = [{"order": f"{leg['side']} {leg['quantity']} @ {leg['price']}", **leg} for leg in result["legs"]]
    rows.append({"order": "total", "turnover": result["turnover"], **result["charges"]})
    show(rows, COLUMNS, as_json=False, empty="")
    if result["closed_quantity"]:
        typer.echo(f"Gross P&L   {result['gross_pnl']:>14,}")
        typer.echo(f"Charges     {result['charges']['total']:>14,}")
        typer.echo(f"Net P&L     {result['net_pnl']:>14,}")
        typer.echo(f"Break-even  {result['break_even_points']:>14,} points a unit")
    if result["open_quantity"]:
        typer.echo(f"Left open   {result['open_quantity']:>+14,} units, with their charges above but no profit")
    if result["depository_charge"] is not None:
        fee = result["depository_charge"].normalize()
        typer.echo(f"Not included: {fee} rupees for each share and day on which it leaves the demat account")
