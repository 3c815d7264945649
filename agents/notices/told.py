"""What people have been told once for ever, in Redis: a restart does not repeat it."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.settings import Settings

log = structlog.get_logger(__name__)
KEPT_SECONDS = 7 * 24 * 3600


class Told:
    """Remembers what was told. While Redis is away, this process's memory has to do: twice is better than never."""

    def __init__(self, settings: Settings, client: Redis) -> None:
        self._keys = RedisKeys(settings)
        self._redis = client
        self._here: set[str] = set()

    async def is_first(self, what: str) -> bool:
        """True the first time it is asked about `what`, within a week."""
        if what in self._here:
            return False
        self._here.add(what)
        try:
            return bool(await self._redis.set(self._keys.told(what), 1, nx=True, ex=KEPT_SECONDS))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("told_unreadable", error=type(error).__name__)
            return True
