"""The limits a risk manager decides by: defaults, then what an operator set for the account and for its strategies."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog

from agents.reference import Reference
from faust_app.runtime import metrics
from faust_app.runtime.errors import TransientError
from models.messages.control import LimitsChanged
from models.messages.envelope import Envelope
from trading.risk.limits import Limits

log = structlog.get_logger(__name__)
LOOK_SECONDS = 10.0
AGAIN_SECONDS = 0.5


class LimitsBook:
    """Limits of one account, read again at once after a change, and now and then in case one was not heard of.

    While they are being read, the ones known before hold: an exit never waits for PostgreSQL.
    """

    def __init__(self, reference: Reference, account: str, defaults: dict[str, Any]) -> None:
        self._reference = reference
        self._account = account
        self._defaults = defaults
        self._changed = asyncio.Event()
        self._limits: dict[str, Limits] | None = None

    def on_control(self, envelope: Envelope[Any]) -> None:
        """An operator changed something."""
        if isinstance(envelope.data, LimitsChanged) and envelope.data.account in ("", self._account):
            self._changed.set()

    async def follow(self) -> None:
        """Read the limits whenever they may have changed, until cancelled."""
        await self.ready()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                self._take(await self._read())
            except TransientError as error:
                log.warning("limits_unreadable", account=self._account, error=str(error))
                self._changed.set()
                await asyncio.sleep(AGAIN_SECONDS)

    async def ready(self) -> None:
        """Read the limits when none are known yet, for as long as it takes."""
        if self._limits is None:
            self._take(await self._reference.load("limits", self._read))

    async def _read(self) -> dict[str, dict[str, Any]]:
        return await self._reference.data.load_limits(self._account)

    def _take(self, rows: dict[str, dict[str, Any]]) -> None:
        account = rows.pop("", {})
        found = {"": Limits.from_layers(self._defaults, account)}
        for strategy, values in rows.items():
            found[strategy] = Limits.from_layers(self._defaults, account, values)
        if found == self._limits:
            return
        self._limits = found
        self._show(found[""])
        log.info("limits_loaded", account=self._account, strategies=sorted(rows))
        for strategy, limits in found.items():
            for problem in limits.unusable.values():
                log.error("limit_unusable", account=self._account, strategy=strategy, problem=problem)

    def _show(self, limits: Limits) -> None:
        broker, _, _ = self._account.partition(":")
        metrics.DAY_LOSS_LIMIT.labels(broker, self._account).set(float(limits.max_daily_loss))
        metrics.EXPOSURE_LIMIT.labels(broker, self._account).set(float(limits.max_gross_exposure))

    @property
    def of_account(self) -> Limits:
        """The whole account's."""
        return (self._limits or {}).get("") or Limits()

    def of_strategy(self, strategy: str) -> Limits:
        """A strategy's: the account's where it has none of its own."""
        return (self._limits or {}).get(strategy) or self.of_account
