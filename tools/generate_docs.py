"""Writes the generated tables of `docs/` from the code; `--check` says which of them are out of date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import typer
import yaml
from pydantic import BaseModel

from brokers.zerodha.statuses import STATUSES
from faust_app.commands.cli import build
from faust_app.runtime.log_channels import CHANNELS
from faust_app.runtime.log_channels import MEANINGS as CHANNEL_MEANINGS
from faust_app.runtime.log_repeats import WINDOW_SECONDS
from faust_app.runtime.logging import FIELDS, MORE_FIELDS
from faust_app.runtime.metrics import DECLARED
from faust_app.runtime.settings import PROJECT, Settings, read_layer
from faust_app.runtime.topics import DLQ, KEYED_BY, Topic
from faust_app.runtime.topology import STAGES, topic_specs
from models.messages.orders import OrderStatus
from sandbox.fault_kinds import DEFAULT_SECONDS
from sandbox.fault_kinds import MEANINGS as FAULT_MEANINGS
from tools.dashboards.guide import dashboards_page
from tools.markdown import NOTE, table
from trading.orders.state import TABLE, Step
from trading.reconciliation.difference import Tolerances
from trading.reconciliation.kinds import KINDS, Severity
from trading.risk.chain import CHAIN
from trading.risk.codes import MEANINGS, ReasonCode


def topics_page() -> str:
    """docs/topics.md."""
    settings = Settings(**read_layer(PROJECT / "config" / "base.yaml"))  # whatever stack runs meanwhile
    rows = []
    for topic in Topic:
        name = str(topic) if topic.is_shared else f"{{broker}}.{topic}"
        written = ", ".join(stage.name for stage in STAGES if topic in stage.produces) or "operator"
        read = ", ".join(stage.name for stage in STAGES if topic in stage.consumes) or "broadcast readers"
        rows.append((f"`{name}`", KEYED_BY.get(topic, "account"), written, read))
    specs = [
        (f"`{spec.name}`", spec.partitions, spec.cleanup, "for ever" if spec.retention_ms < 0 else f"{hours(spec)} h")
        for spec in topic_specs(settings)
    ]
    return "\n\n".join(
        (
            "# Topics",
            NOTE,
            "## Who writes and reads what",
            table(("topic", "key", "written by", "read by"), rows),
            f"Every consumed topic has a dead-letter topic of the same name with `{DLQ}`.",
            "## How they exist with the base profile",
            table(("topic", "partitions", "cleanup", "kept"), specs),
        )
    )


def hours(spec: Any) -> str:
    """Retention in hours."""
    return f"{spec.retention_ms / 3_600_000:g}"


def metrics_page() -> str:
    """docs/metrics.md."""
    rows = [(f"`{one.name}`", one.kind, ", ".join(one.labels) or "-", one.meaning) for one in DECLARED]
    return "\n\n".join(("# Metrics", NOTE, table(("name", "type", "labels", "meaning"), rows)))


def settings_page() -> str:
    """docs/settings.md."""
    rows = list(_fields(Settings, ()))
    text = (
        "Layers, later ones win: `config/base.yaml`, `config/<profile>.yaml`, the running stack's "
        "`.local/runtime.yaml`, the environment (`ALPHA_PANDA__SECTION__KEY`). An unknown key refuses to start. "
        "The profile is `ALPHA_PANDA_PROFILE`, else that of the running stack, else `base`."
    )
    return "\n\n".join(("# Settings", NOTE, text, table(("setting", "default", "meaning"), rows)))


def _fields(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is not None:
            more = "*" if field.annotation is not inner else None
            yield from _fields(inner, (*above, name, *([more] if more else [])))
            continue
        default = "-" if field.default in (None, "") else f"`{_default(field.default)}`"
        yield f"`{'.'.join((*above, name))}`", default, field.description or ""


def _default(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((one for one in get_args(annotation) if isinstance(one, type) and issubclass(one, BaseModel)), None)


def commands_page() -> str:
    """docs/commands.md."""
    root = typer.main.get_command(build())
    parts = ["# Commands", NOTE, *_command(root, "alpha-panda")]
    return "\n\n".join(parts)


def _command(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children:
        yield f"## `{path}`"
        yield " ".join((command.help or "").split())
        rows = [
            (_name(one), "required" if one.required else "", getattr(one, "help", "") or "") for one in command.params
        ]
        rows = [row for row in rows if row[0] != "`--help`"]
        if rows:
            yield table(("parameter", "", "meaning"), rows)
    for name in sorted(children):
        yield from _command(children[name], f"{path} {name}")


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{one}`" for one in (*parameter.opts, *parameter.secondary_opts))


def reason_codes_page() -> str:
    """docs/reason_codes.md."""
    checks = {check.code: check for check in CHAIN}
    given_by = dict.fromkeys((ReasonCode.LIMIT_UNUSABLE, ReasonCode.FIGURES_UNUSABLE), "whoever needs it")
    given_by[ReasonCode.GROUP_INCOMPLETE] = "all legs of a group together"
    given_by[ReasonCode.GROUP_INCOMPLETE] = "the group"
    rows = []
    for code, meaning in MEANINGS.items():
        check = checks.get(code)
        name = f"`{type(check).__name__}`" if check else given_by.get(code, "sizing")
        limits = ", ".join(f"`{name}`" for name in check.limits) if check else ""
        rows.append((f"`{code}`", meaning, name, limits, "yes" if check and not check.passes_exits else ""))
    text = (
        "A signal is sized first; then the checks run in the order of the table, and the first that refuses decides. "
        "An order that only reduces a position has to pass those marked so, and no other. Limits are in "
        "[settings](settings.md) under `risk`, and are changed with `alpha-panda limits set`."
    )
    head = ("code", "meaning", "check", "limits", "exits too")
    return "\n\n".join(
        (
            "# Reason codes",
            NOTE,
            "Why a signal was denied, as `code` on `{broker}.signals.rejected`.",
            text,
            table(head, rows),
        )
    )


def order_states_page() -> str:
    """docs/order_states.md."""
    told = [status for status in OrderStatus if any(status in steps for steps in TABLE.values())]
    open_states = [status for status in OrderStatus if not status.is_terminal]
    rows = [(f"`{state}`", *(_step(TABLE[state].get(report)) for report in told)) for state in open_states]
    ends = ", ".join(f"`{status}`" for status in OrderStatus if status.is_terminal)
    kite = [(f"`{text}`", f"`{status}`") for text, status in STATUSES.items()]
    how = (
        "What each report of a broker (columns) makes of an order in each state (rows), pushed or polled, in any "
        "order, repeated or missing. Quantities decide: a report with some of the quantity filled is "
        "`partially_filled`, one with all of it `filled`, whatever status it carries, and every rise of the filled "
        "quantity is a fill, in every state. A dash changes nothing."
    )
    after = (
        f"Nothing follows {ends}: fills that are reported later are booked, the state stays. More filled than ordered, "
        "or filled in full with less, is an alarm (`alpha_panda_order_alarms_total`), and taken as reported."
    )
    unknown = "Any other text is read as `working` and counted (`alpha_panda_unknown_order_statuses_total`)."
    states = table(("state", *(f"`{report}`" for report in told)), rows)
    statuses = table(("Kite", "read as"), kite)
    return "\n\n".join(("# Order states", NOTE, how, states, after, "## Kite's statuses", statuses, unknown))


def _step(step: Step | None) -> str:
    if step is None:
        return "-"
    return f"`{step.state}`" + "".join(f", {action.value}" for action in step.actions)


def sandbox_faults_page() -> str:
    """docs/sandbox_faults.md."""
    rows = [
        (f"`{kind}`", occasion, meaning, "" if kind not in DEFAULT_SECONDS else f"{DEFAULT_SECONDS[kind]:g}")
        for kind, (occasion, meaning) in FAULT_MEANINGS.items()
    ]
    text = "What can be switched on, and how, is in [sandbox.md](sandbox.md)."
    return "\n\n".join(
        ("# Faults of the sandbox", NOTE, text, table(("kind", "strikes", "what goes wrong", "`seconds`"), rows))
    )


def logging_page() -> str:
    """docs/logging.md."""
    fields = [(f"`{name}`", meaning) for name, meaning in FIELDS.items()]
    more = [(", ".join(f"`{one}`" for one in names.split(", ")), meaning) for names, meaning in MORE_FIELDS.items()]
    channels = [
        (f"`{channel}`", meaning, ", ".join(f"`{name}`" for name, found in CHANNELS.items() if found is channel))
        for channel, meaning in CHANNEL_MEANINGS.items()
    ]
    schema = (
        "A worker writes one JSON object a line, to standard error; the local stack keeps it in "
        "`.local/logs/<worker>.log`, rotated at 20 MB with three older files. A worker that runs on its own writes "
        "to a file when `log.directory` is set. Lines of Faust, aiokafka and other libraries have the same fields, in "
        "the same order, and are one line each whatever they were; what is printed past the log becomes a line of the "
        "logger `printed`."
    )
    repeats = (
        f"Of lines that repeat within {WINDOW_SECONDS:g} seconds the first is written at once, and at the end one more "
        "that says with `repeated` how many followed. Lines are the same when logger, level, event and fields are; "
        "below the level of an error, numbers do not count. `alpha_panda_log_lines_total` counts all of them."
    )
    secrets = (
        "Every value of a setting that is a secret, every line of a file of secrets and today's access token, of four "
        "characters or more, are blanked as `***` wherever they appear, and so is what follows a secret's name in a "
        "text or is kept under it."
    )
    following = (
        "`alpha-panda logs` merges the files by time; `--follow` goes on through rotations and restarts. "
        "`alpha-panda trace ID` prints the chain of events an id belongs to (a frame, signal, order, fill or any "
        "event), each with the time since its cause (`hop`) and since the frame was received (`total`), in "
        "milliseconds of Kafka's clock. It reads the audit trail, and the topics of the last ten minutes for what that "
        "does not have yet; either is enough. `alpha-panda logs --trace ID` prints the lines about the same decision. "
        "Lines about orders name the order and its chain; a line logged while a message is handled has the message's "
        "chain. Denials are logged once in a while for each strategy, instrument and code: `trace` has every one."
    )
    return "\n\n".join(
        (
            *("# Logs", NOTE, schema, "## Fields", "Every line has", table(("field", "meaning"), fields)),
            *("some have more, and what the event says of itself:", table(("field", "meaning"), more)),
            *("## Channels", table(("channel", "what", "loggers that begin with"), channels)),
            "Any other logger is `infrastructure`; an event may name its channel itself.",
            *("## Repeated lines", repeats, "## Secrets", secrets, "## Following a decision", following),
        )
    )


def reconciliation_page() -> str:
    """docs/reconciliation.md."""
    rows = [(f"`{kind}`", _severity(one.severity), one.meaning, one.advice) for kind, one in KINDS.items()]
    tolerated = Tolerances()
    text = (
        "What the broker says is compared with what we believe: orders, trades, positions, holdings and funds. Each "
        "difference has a kind, a subject (an order, an instrument and product), both values, and a key that stays "
        "the same as long as it is there. Exits and cancels always pass. An operator may accept a difference: it "
        "blocks no more until its values change."
    )
    motion = (
        f"An order that has changed within {tolerated.grace_seconds:g} s or is working is in motion, and so are "
        "positions, holdings and funds at any time: a difference counts when it is still there that much later and our "
        f"side has not moved since, or after {tolerated.patience_seconds:g} s in any case. Prices may differ by "
        f"{tolerated.price} rupees, funds by {tolerated.funds_rupees} rupees or {tolerated.funds_percent} %, whichever "
        f"is more; an order is stuck after {tolerated.stuck_seconds:g} s. "
        "Positions, holdings and funds are compared once the account has begun the day. Orders of others are never "
        "touched; a position that differs by just what they have filled blocks entries in that instrument only."
    )
    kinds = table(("kind", "stops", "meaning", "what to do"), rows)
    return "\n\n".join(("# Reconciliation", NOTE, text, motion, kinds))


def _severity(severity: Severity) -> str:
    match severity:
        case Severity.INFO:
            return "nothing"
        case Severity.WARNING:
            return "nothing, warns"
        case Severity.BLOCKS_INSTRUMENT:
            return "entries in the instrument"
        case Severity.BLOCKS_ACCOUNT:
            return "all entries"


def alerts_page() -> str:
    """docs/alerts.md: what is told of an alert stands in its runbook."""
    files = [yaml.safe_load(file.read_text()) for file in sorted((PROJECT / "prometheus" / "rules").glob("*.yml"))]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule]
    text = (
        "What Prometheus alerts about (`prometheus/rules`), and what to do then. Who is told is in "
        "[the runbook about alerts](runbooks/alerts.md). A condition has to last as long as the third column says."
    )
    head = ("alert", "severity", "for", "what", "runbook")
    return "\n\n".join(("# Alerts", NOTE, text, table(head, map(_alert, rules))))


def _alert(rule: Mapping[str, Any]) -> Sequence[str]:
    link = rule["annotations"]["runbook_url"]
    _, _, section = (PROJECT / link.partition("#")[0]).read_text().partition(f"\n## {rule['alert']}\n")
    meaning = " ".join(section.partition("- Means: ")[2].partition("\n- ")[0].split())
    name, severity, least = f"`{rule['alert']}`", rule["labels"]["severity"], rule.get("for", "at once")
    return name, severity, least, meaning[:1].upper() + meaning[1:], f"[what to do]({link.removeprefix('docs/')})"


PAGES = {
    "logging.md": logging_page,
    "alerts.md": alerts_page,
    "dashboards.md": dashboards_page,
    "reconciliation.md": reconciliation_page,
    "sandbox_faults.md": sandbox_faults_page,
    "topics.md": topics_page,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "reason_codes.md": reason_codes_page,
    "order_states.md": order_states_page,
}


def out_of_date(folder: Path) -> list[str]:
    """Pages that differ from what the code says now."""
    return [name for name, page in PAGES.items() if _read(folder / name) != page() + "\n"]


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which pages are out of date")
    folder = PROJECT / "docs"
    if parser.parse_args().check:
        stale = out_of_date(folder)
        if stale:
            sys.exit(f"Out of date: {', '.join(stale)}. Run `make docs`.")
        return
    for name, page in PAGES.items():
        (folder / name).write_text(page() + "\n")


if __name__ == "__main__":
    main()
