"""Differences from a broker that an operator has accepted, in PostgreSQL, together with the audit row that says so."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.dialects.postgresql import insert

from faust_app.runtime.audit import record
from faust_app.runtime.codec import encode
from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.limits_store import CONTROL, NOT_SENT_YET
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic
from models.messages.envelope import Envelope
from models.messages.reconciliation import DifferencesAccepted
from models.rows.trading import AcceptanceRow


async def store_acceptances(config: Settings, envelope: Envelope[DifferencesAccepted]) -> None:
    """Keep what was accepted; `ReferenceData.load_acceptances` reads it. Raises TransientError."""
    body = envelope.data
    engine = create_engine(config, pool_size=1)
    try:
        async with transaction(engine) as connection:
            for one in body.accepted:
                values = {
                    "value": one.value,
                    "actor": body.actor,
                    "reason": body.reason,
                    "accepted_at": datetime.now(UTC),
                }
                statement = insert(AcceptanceRow).values(account=body.account, difference_key=one.key, **values)
                keys = [AcceptanceRow.account, AcceptanceRow.difference_key]
                await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))
            origin = str(Topic.CONTROL_EVENTS), NOT_SENT_YET, NOT_SENT_YET
            await record(connection, CONTROL, encode(envelope), origin)
    finally:
        await engine.dispose()
