"""What a policy would have done on a client's past: the same watch over the minutes that are stored."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import Person
from aiservice.services.abuse_baseline import KEPT_HOURS
from aiservice.services.abuse_client import Learned, WatchedClient, learned, raw_minutes
from aiservice.services.abuse_familiar import RawMinute
from aiservice.services.abuse_features import Evidence
from aiservice.services.abuse_ladder import Step
from aiservice.services.abuse_policies import Policy, clean_ceilings, clean_policy, policy_of
from aiservice.services.clients import visible_client
from aiservice.services.rights import needs
from aiservice.store import abuse as store
from aiservice.store.session import Database

MAX_DAYS = 28


@dataclass(slots=True, frozen=True)
class WouldHave:
    """Something that would have been done, from `at_us` at least until `until_us`."""

    at_us: int
    until_us: int
    level: str
    evidence: tuple[Evidence, ...]


class AbuseReplay:
    """Runs over what is stored; changes nothing."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("abuse_policy.replay")
    async def run(
        self,
        actor: Person,
        client: str,
        policy: str,
        ceilings: Mapping[str, tuple[int, str]] | None = None,
        *,
        days: int = 7,
    ) -> list[WouldHave]:
        """What `policy` with these ceilings would have done about a client in the last `days`.

        What really was done then has shaped the traffic since: a client that was throttled asked for what it was given.

        Raises:
            NotFound: no such client, or it is not the actor's.
            Unprocessable: a value that is none.
        """
        tried = policy_of(clean_policy(policy), clean_ceilings(ceilings or {}))
        end_us = now_us() // MINUTE_US * MINUTE_US
        start_us = (end_us - min(days, MAX_DAYS) * DAY_US) // HOUR_US * HOUR_US
        async with self._db.read() as session:
            client_id = (await visible_client(session, actor, client)).id
            rows = await store.hours(session, client_id, start_us - KEPT_HOURS * HOUR_US, start_us)
            seen = await store.minutes(session, start_us, end_us, client_id)
            usage = await store.usage(session, start_us, end_us, client_id)
        hours = [learned(row.start_us, row.counts, row.networks, row.models) for row in rows]
        minutes = raw_minutes(seen, usage).get(client_id, {})
        return await asyncio.to_thread(_replayed, tried, hours, minutes, (start_us, end_us))


def _replayed(
    policy: Policy, hours: list[Learned], minutes: Mapping[int, RawMinute], span: tuple[int, int]
) -> list[WouldHave]:
    client = WatchedClient(policy)
    client.learn(hours, span[0])
    found: list[WouldHave] = []
    for at_us, step in _steps(client, minutes, span):
        if step.is_new:
            found.append(WouldHave(at_us, int(step.until * 1_000_000), step.level.name.lower(), step.evidence))
    return found


def _steps(
    client: WatchedClient, minutes: Mapping[int, RawMinute], span: tuple[int, int]
) -> Iterator[tuple[int, Step]]:
    for minute_us in range(*span, MINUTE_US):
        while client.hour_us + HOUR_US <= minute_us:
            at_us = client.hour_us + HOUR_US
            _, step = client.end_hour()
            if step is not None:
                yield at_us, step
        if minute_us in minutes:
            client.take(minute_us, minutes[minute_us])
            step = client.look(minute_us, minute_us + MINUTE_US)
            if step is not None:
                yield minute_us + MINUTE_US, step
