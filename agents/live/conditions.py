"""What a live engine needs besides its orders, looked at every second: session, lease, the audit trail."""

from __future__ import annotations

import asyncio
import time

from brokers.zerodha.session import SessionState, SessionView
from faust_app.runtime import metrics
from faust_app.runtime.errors import TransientError
from faust_app.runtime.lease import Lease
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.reference_data import ReferenceData

EVERY_SECONDS = 1.0
STORED_SECONDS = 5.0


class Conditions:
    """Keeps the worker's readiness current, and says what keeps orders back."""

    def __init__(
        self, reference: ReferenceData, session: SessionView, lease: Lease, state: WorkerState, *, broker: str
    ) -> None:
        self._reference = reference
        self._session = session
        self._lease = lease
        self._state = state
        self._broker = broker
        self._stored_at = float("-inf")

    @property
    def is_stored(self) -> bool:
        """True while PostgreSQL, the audit trail, has answered lately."""
        return time.monotonic() - self._stored_at < STORED_SECONDS

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._ask_postgresql()
            self._look_at_session()
            self._look_at_lease()
            await asyncio.sleep(EVERY_SECONDS)

    async def _ask_postgresql(self) -> None:
        try:
            await self._reference.ping()
        except TransientError as error:
            self._state.degraded("audit trail", f"No entries: {error}")
        else:
            self._stored_at = time.monotonic()
            self._state.recovered("audit trail")

    def _look_at_session(self) -> None:
        is_valid = self._session.state is SessionState.VALID
        metrics.SESSION_VALID.labels(self._broker).set(int(is_valid))
        if is_valid:
            self._state.recovered("session")
        else:
            self._state.degraded("session", self._session.reason)

    def _look_at_lease(self) -> None:
        metrics.LEASE_HELD.labels(self._broker).set(int(bool(self._lease.value)))
        if self._lease.value:
            self._state.recovered("lease")
            return
        holder = self._lease.holder
        self._state.degraded("lease", f"{holder.owner} runs this account" if holder else "The lease is not held yet")
