"""Limits changed under a running pipeline: in force within a second, audited once, refused when they are none."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select, text

from faust_app.runtime.database import create_engine, transaction
from models.rows.audit import AuditRow
from tests.e2e.books import rows
from tests.running_stack import GARBAGE_KEY, RunningStack, run, wait_for

EFFECTIVE_MS = 1000
ACCOUNT = ("--account", "paper")


def decisions(stack: RunningStack) -> list[tuple[int, dict[str, Any]]]:
    """(Kafka's milliseconds, body) of every decision."""
    found = [
        (one.timestamp, msgspec.json.decode(one.value)["data"])
        for topic in ("paper.signals.validated", "paper.signals.rejected")
        for one in stack.messages(topic)
        if one.key != GARBAGE_KEY
    ]
    return sorted(found, key=lambda one: one[0])


def entries_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in body.get("orders", ()) if not one["reduces"]]


def refused_by(body: dict[str, Any], limit: str) -> bool:
    return body.get("code") == "quantity_limit" and body["values"]["limit"] == limit


def last_change(stack: RunningStack) -> tuple[int, dict[str, Any]]:
    """(Kafka's milliseconds, envelope) of the newest control event."""
    newest = max(stack.messages("control.events"), key=lambda one: one.timestamp)
    return newest.timestamp, msgspec.json.decode(newest.value)


def check_in_force(stack: RunningStack, at: int, limit: str, strategies: set[str] | None = None) -> int:
    """Nothing later than a second after `at` ignores the limit; returns the milliseconds to the first that uses it."""

    def concerned(body: dict[str, Any]) -> bool:
        return strategies is None or body["strategy"] in strategies

    def denials() -> list[int]:
        return [when for when, body in decisions(stack) if concerned(body) and refused_by(body, limit) and when >= at]

    wait_for(lambda: len(denials()) >= 3, f"three denials by the limit {limit}", 60)
    late = [
        body for when, body in decisions(stack) if when > at + EFFECTIVE_MS and concerned(body) and entries_of(body)
    ]
    assert late == []
    return denials()[0] - at


def test_limits_of_the_account_are_in_force_within_a_second(stack: RunningStack, record_property: Any) -> None:
    wait_for(lambda: sum(bool(entries_of(body)) for _, body in decisions(stack)) >= 20, "twenty entries", 90)
    changed = stack.json("limits", "set", "max_order_quantity=1", *ACCOUNT, "--reason", "a test")
    assert changed == [
        {"account": "paper:main", "strategy": None, "limit": "max_order_quantity", "before": None, "after": "1"}
    ]
    at, envelope = last_change(stack)
    taken = check_in_force(stack, at, "1")
    record_property("set_to_first_decision_ms", taken)
    print(f"set to the first decision with the new limit: {taken} ms")
    shown = {row["limit"]: row for row in stack.json("limits", "show", *ACCOUNT)}
    assert (shown["max_order_quantity"]["value"], shown["max_order_quantity"]["source"]) == (1, "account")

    def audited() -> list[Any]:
        return run(rows(stack.settings(), select(AuditRow.__table__).where(AuditRow.type == "control.limits")))

    (row,) = wait_for(audited, "the audit row")
    assert row.event_id == envelope["id"]
    assert row.data["changes"] == {"max_order_quantity": {"before": None, "after": "1"}}
    assert row.data["reason"] == "a test"


def test_a_strategys_limits_bind_it_alone(stack: RunningStack) -> None:
    stack.command("limits", "reset", *ACCOUNT)
    at, _ = last_change(stack)
    names = sorted({row["instance"] for row in stack.json("strategies", "list")})

    def entering() -> set[str]:
        return {body["strategy"] for when, body in decisions(stack) if when > at and entries_of(body)}

    wait_for(lambda: len(entering()) >= 2, "entries of two strategies", 90)
    one = sorted(entering())[0]
    stack.command("limits", "set", "max_order_quantity=1", *ACCOUNT, "--strategy", one)
    at, _ = last_change(stack)
    check_in_force(stack, at, "1", {one})
    wait_for(lambda: entering() - {one}, "an entry of another strategy", 60)
    source = {row["limit"]: row["source"] for row in stack.json("limits", "show", *ACCOUNT, "--strategy", one)}
    assert source["max_order_quantity"] == "strategy"
    assert "did you mean" in stack.command("limits", "set", "max_order_quantty=1", *ACCOUNT, code=2).stderr
    assert set(names) >= {one}
    stack.command("limits", "reset", *ACCOUNT, "--strategy", one)


def test_a_limit_that_is_none_refuses_and_says_so(stack: RunningStack) -> None:
    """Written past the command, so that no worker is told: they look every few seconds."""

    async def spoil() -> None:
        engine = create_engine(stack.settings(), pool_size=1)
        async with transaction(engine) as connection:
            await connection.execute(
                text("""insert into limits values ('paper:main', '', '{"max_order_notional": "NaN"}', now())""")
            )
        await engine.dispose()

    run(spoil())

    def refused() -> list[dict[str, Any]]:
        return [body for _, body in decisions(stack) if body.get("code") == "limit_unusable"]

    body = wait_for(refused, "a refusal", 60)[0]
    assert body["values"] == {"limit": "max_order_notional"}
    row = next(row for row in stack.json("limits", "show", *ACCOUNT) if row["limit"] == "max_order_notional")
    assert row["value"].startswith("refuses everything: max_order_notional is NaN")
    stack.command("limits", "set", "max_order_notional=1000000", *ACCOUNT)
    at, _ = last_change(stack)
    wait_for(lambda: [1 for when, body in decisions(stack) if when > at and entries_of(body)], "an entry", 60)
    stack.command("limits", "reset", *ACCOUNT)
