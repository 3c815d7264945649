"""A worker with a table that reports every message it handles; run by `rebalance.py`, by hand or by the tests.

`PROBE_RUNTIME=exact` builds it like every worker of the project; `stock` builds the same thing on Faust as it is.
"""

from __future__ import annotations

import os
from typing import Any

import faust

from faust_app.runtime.settings import load_settings
from tables.journal import Output
from tables.raw_key_table import RawKeyTable, raw_table

INPUT, HANDLED, TABLE = "probe.input", "probe.handled", "counts"
STAGE = "probe"


def _report(partition: int, offset: int) -> bytes:
    return f"{partition}/{offset}".encode()


def _exact() -> Any:
    from faust_app.runtime.app import Worker
    from faust_app.runtime.consume import Decision, Record

    worker = Worker(STAGE, "shared", load_settings())
    table = worker.table(TABLE, "messages handled, by key")

    async def handle(record: Record) -> Decision:
        key = (record.key or b"").decode()
        table[key] = str(int(table.get(key) or b"0") + 1).encode()
        return Decision([Output(HANDLED, record.key, _report(record.partition, record.offset))])

    worker.consume(INPUT, handle)
    return worker.app


def _stock() -> Any:
    settings = load_settings()
    instance = os.environ["ALPHA_PANDA_WORKER_INSTANCE"]
    settings.worker.data_directory.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        f"alpha-panda.{STAGE}",
        broker=f"kafka://{settings.kafka.bootstrap}",
        datadir=str(settings.worker.data_directory.absolute() / f"stock-{instance}"),
        store="rocksdb://",
        Table=RawKeyTable,
        topic_partitions=settings.kafka.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_group_instance_id=f"probe-{instance}",
        broker_commit_interval=0.5,
        broker_session_timeout=20.0,
        broker_request_timeout=40.0,
        value_serializer="raw",
        web_port=int(os.environ["ALPHA_PANDA_WEB_PORT"]),
    )
    table = raw_table(app, TABLE, "messages handled, by key", settings.kafka.partitions)
    channel = app.topic(INPUT, key_type=bytes, value_type=bytes, value_serializer="raw")
    handled = app.topic(HANDLED, value_serializer="raw")

    @app.agent(channel)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            key = event.message.key.decode()
            table[key] = str(int(table.get(key) or b"0") + 1).encode()
            await (
                await handled.send(key=event.message.key, value=_report(event.message.partition, event.message.offset))
            )

    return app


app = _exact() if os.environ.get("PROBE_RUNTIME", "exact") == "exact" else _stock()
