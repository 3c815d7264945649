"""How many order calls an account may make: one budget in Redis for all processes, by Redis's own clock.

Calls are paced, not counted by the second: one each 1/8 s, an exit or cancel one ahead of its turn. So no rolling
second has more than nine, however late each arrives. A minute and a day are counted. Exits and cancels may use what is
kept back from entries, and without Redis have a small budget of their own in this process.
Kite's limits: 10 a second, 400 a minute, 5,000 a day (its forum, 52882), rejected calls included.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from enum import StrEnum

import msgspec
from redis.asyncio import Redis

from faust_app.runtime.lease import awake_seconds
from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.settings import Settings
from trading.market.sessions import IST

# One step: is the caller still the account's runner, is it its turn, is there room in the minute and the day.
TAKE = """
local function number(value) return string.format('%.0f', value) end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return {'not_runner', 0} end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local turn = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now)
local wait = turn - ARGV[3] - now
if wait > 0 then return {'wait', number(wait)} end
local oldest = redis.call('LINDEX', KEYS[3], ARGV[4] - 1)
if oldest and tonumber(oldest) > now - 60000000 then return {'wait', number(oldest + 60000000 - now)} end
if tonumber(redis.call('GET', KEYS[4]) or '0') >= tonumber(ARGV[5]) then return {'spent', 0} end
redis.call('SET', KEYS[2], number(turn + ARGV[2]), 'PX', 60000)
redis.call('LPUSH', KEYS[3], number(now))
redis.call('LTRIM', KEYS[3], 0, ARGV[6] - 1)
redis.call('EXPIRE', KEYS[3], 61)
redis.call('INCR', KEYS[4])
redis.call('EXPIRE', KEYS[4], 172800)
return {'granted', 0}
"""
MICROSECONDS = 1_000_000
INTERVAL = MICROSECONDS // 8
MOST_A_MINUTE, MOST_A_DAY = 380, 4_900
KEPT_A_MINUTE, KEPT_A_DAY = 40, 200  # for exits and cancels
LOCAL_INTERVAL_SECONDS = 0.5
AFTER_LOCAL_SECONDS = 0.25  # Redis does not know of local calls: once it is back its first one waits
# Between grant and call: calls that all are this late, and those that follow them, are ten in a second, not more.
GRANT_SECONDS = 0.1


class Verdict(StrEnum):
    """What the budget says."""

    GRANTED = "granted"
    WAIT = "wait"
    SPENT = "spent"  # for today
    LATE = "late"  # grants have come too late to be used
    NOT_RUNNER = "not_runner"  # another process holds the account's lease


class Grant(msgspec.Struct, frozen=True):
    """The verdict; `wait_seconds` until it is worth asking again. A grant is for a call made at once."""

    verdict: Verdict
    wait_seconds: float = 0.0
    given_at: float = 0.0

    @property
    def is_fresh(self) -> bool:
        """True while the call may be made: a process that slept since has to ask again."""
        return self.verdict is Verdict.GRANTED and awake_seconds() - self.given_at < GRANT_SECONDS


class OrderBudget:
    """The budget of one account."""

    def __init__(self, settings: Settings, client: Redis, account: str) -> None:
        self._keys = RedisKeys(settings)
        self._account = account
        self._redis = client
        self._local_turn = 0.0
        self._quiet_until = 0.0

    async def left(self, now: datetime) -> dict[str, int]:
        """How many calls entries still have, by window. Raises RedisError while Redis is away."""
        _, minute, day = self._call_keys(now)
        calls, spent, time = await asyncio.gather(
            self._redis.lrange(minute, 0, MOST_A_MINUTE), self._redis.get(day), self._redis.time()
        )
        begin = (int(time[0]) - 60) * MICROSECONDS + int(time[1])
        lately = sum(int(at) > begin for at in calls)
        return {
            "minute": max(0, MOST_A_MINUTE - KEPT_A_MINUTE - lately),
            "day": max(0, MOST_A_DAY - KEPT_A_DAY - int(spent or 0)),
        }

    def _call_keys(self, now: datetime) -> list[str]:
        day = now.astimezone(IST).date().isoformat()
        return [self._keys.order_calls(self._account, what) for what in ("pace", "minute", f"day:{day}")]

    async def take(self, lease: str, *, is_exit: bool, now: datetime) -> Grant:
        """Ask for one call of the lease's holder; `now` names the day. Raises RedisError while Redis is away."""
        if not lease:
            return Grant(Verdict.NOT_RUNNER)
        asked = awake_seconds()
        if asked < self._quiet_until:
            return Grant(Verdict.WAIT, self._quiet_until - asked)
        kept_a_minute, kept_a_day = (0, 0) if is_exit else (KEPT_A_MINUTE, KEPT_A_DAY)
        values: list[str | int] = [
            lease,
            INTERVAL,
            INTERVAL if is_exit else 0,
            MOST_A_MINUTE - kept_a_minute,
            MOST_A_DAY - kept_a_day,
            MOST_A_MINUTE,
        ]
        verdict, wait = await self._redis.eval(TAKE, 4, self._keys.lease(self._account), *self._call_keys(now), *values)
        found = Grant(Verdict(verdict), int(wait) / MICROSECONDS, asked)
        if found.verdict is Verdict.GRANTED:
            self._local_turn = asked + LOCAL_INTERVAL_SECONDS
        return found

    def take_locally(self) -> Grant:
        """Ask for one exit or cancel while Redis is away."""
        now = awake_seconds()
        if now < self._local_turn:
            return Grant(Verdict.WAIT, self._local_turn - now)
        self._local_turn = now + LOCAL_INTERVAL_SECONDS
        self._quiet_until = now + AFTER_LOCAL_SECONDS
        return Grant(Verdict.GRANTED, given_at=now)
