"""One runner per account: a lease in Redis with a fencing number that only rises.

Whoever holds the lease may place orders. It ends by itself when it is not renewed, and whoever takes it next has a
higher fence, which the order budget compares with each call. A process that was suspended finds its lease run out by a
clock that goes on while the machine sleeps, without asking anybody. A worker that was restarted takes its own lease
over at once: whatever is left of its former self has a lower fence.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.settings import INSTANCE_VARIABLE, Settings
from faust_app.runtime.trading_state import is_cancelled

log = structlog.get_logger(__name__)
LEASE_SECONDS = 10.0
RENEW_SECONDS = 2.0
TAKE = """
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%d+|(.*)$') ~= ARGV[1] then return {0, held} end
local value = redis.call('INCR', KEYS[2]) .. '|' .. ARGV[1]
redis.call('SET', KEYS[1], value, 'PX', ARGV[2])
return {1, value}
"""
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


def awake_seconds() -> float:
    """A clock that never goes back and goes on while the machine sleeps."""
    return time.monotonic() if sys.platform == "darwin" else time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, from its value in Redis."""

    fence: int
    owner: str

    @classmethod
    def parse(cls, value: str) -> Holder:
        """The holder a value names. Raises ValueError for one this code has not written."""
        fence, _, owner = value.partition("|")
        return cls(int(fence), owner)


def owner_name() -> str:
    """What this process is called as an owner: `host/instance`."""
    return f"{socket.gethostname()}/{os.environ.get(INSTANCE_VARIABLE, '0')}"


async def read_holder(settings: Settings, client: Redis, account: str) -> Holder | None:
    """Who holds an account's lease; None when it is free. Raises RedisError, and ValueError for a value of others."""
    value = await client.get(RedisKeys(settings).lease(account))
    return Holder.parse(str(value)) if value else None


class Lease:
    """An account's lease as this process sees it. `run` takes and keeps it; everything else asks `value`."""

    def __init__(self, settings: Settings, client: Redis, account: str) -> None:
        keys = RedisKeys(settings)
        self._account = account
        self._key, self._fence = keys.lease(account), keys.fence(account)
        self._redis = client
        self._owner = owner_name()
        self._held = ""
        self._until = 0.0
        self.holder: Holder | None = None  # whoever has it, when it is not us

    @property
    def value(self) -> str:
        """What Redis holds while the lease is ours; empty when it is not, or when it may have run out."""
        return self._held if awake_seconds() < self._until else ""

    async def run(self) -> None:
        """Take the lease as soon as it is free and keep it, until cancelled; then give it back."""
        try:
            while not is_cancelled():
                try:
                    await self.step()
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("lease_unreachable", account=self._account, error=type(error).__name__)
                if not is_cancelled():
                    await asyncio.sleep(RENEW_SECONDS)
        finally:
            await self._release()

    async def step(self) -> None:
        """Renew the lease, or try to take it. Raises RedisError while Redis is away."""
        asked = awake_seconds()  # before asking: the lease ends no later there than it is believed to end here
        if self._held:
            if not await self._redis.eval(RENEW, 1, self._key, self._held, int(LEASE_SECONDS * 1000)):
                log.error("lease_lost", account=self._account)
                self._held = ""
                return
        else:
            taken, value = await self._redis.eval(
                TAKE, 2, self._key, self._fence, self._owner, int(LEASE_SECONDS * 1000)
            )
            if not taken:
                self._note_holder(value)
                return
            self._held, self.holder = value, None
            log.info("lease_taken", account=self._account, lease=value)
        self._until = asked + LEASE_SECONDS

    def _note_holder(self, value: str) -> None:
        try:
            found = Holder.parse(value)
        except ValueError:
            found = Holder(0, "somebody unknown")
        if found != self.holder:
            log.warning("lease_held_elsewhere", account=self._account, holder=found.owner)
        self.holder = found

    async def _release(self) -> None:
        held, self._held = self._held, ""
        if held:
            try:
                await self._redis.eval(RELEASE, 1, self._key, held)
            except (RedisError, OSError, TimeoutError):
                log.info("lease_left_to_run_out", account=self._account)
