"""Judges every client's traffic every few seconds, in one worker of all, and carries the verdicts out.

What workers see and what the ledger settles meets in the database. A verdict reaches every worker through the change
feed. The mathematics (`abuse_watch.py` and what it stands on) is pure, runs in a thread, and is the same that the
simulator drives. Fails open: without the database nothing is judged, and nobody is hindered for it.
"""

import asyncio
from dataclasses import dataclass

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, iso, now_us
from aiservice.services.abuse_baseline import KEPT_HOURS
from aiservice.services.abuse_client import Learned, WatchedClient, learned, raw_minutes
from aiservice.services.abuse_familiar import RawMinute
from aiservice.services.abuse_features import Evidence, Level
from aiservice.services.abuse_ladder import Case, Step
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.sanctions import Finding, Sanctions
from aiservice.store import abuse as store
from aiservice.store.session import Database
from aiservice.tables import Sanction

JUDGE_SECONDS = 5.0
KEPT_MINUTES_US = 35 * DAY_US
_SETTLED_US = 90 * SECOND_US  # an hour is learned this long after its end: what was under way then is settled
_LATE_US = 3 * MINUTE_US
_FORGIVEN_US = 7 * DAY_US
_EXTENDED_US = MINUTE_US  # what goes on is written once a minute: every change is looked up anew by every worker
_LEVELS = {level.name.lower(): level for level in Level}


@dataclass(slots=True, frozen=True)
class _Said:
    client_id: str
    step: Step


class AbuseJudge:
    """The clients that were active lately, each under its watch. A judge that takes over rebuilds them from what is
    stored; only how long something has lasted begins anew."""

    def __init__(self, db: Database, sanctions: Sanctions, alerts: AlertNotes) -> None:
        self._db = db
        self._sanctions = sanctions
        self._alerts = alerts
        self._clients: dict[str, WatchedClient] = {}
        self._read_until_us = 0

    async def judge(self, at_us: int | None = None) -> int:
        """Looks at what came in since the last time; how many verdicts were new. `at_us` is now."""
        now = now_us() if at_us is None else at_us
        if now - self._read_until_us > HOUR_US:  # another was the judge meanwhile
            self._clients.clear()
            self._read_until_us = now // HOUR_US * HOUR_US - HOUR_US
        start_us = min(self._read_until_us, now) - _LATE_US
        async with self._db.read() as session:
            seen = await store.minutes(session, start_us, now + MINUTE_US)
            usage = await store.usage(session, start_us, now + MINUTE_US)
        raw = raw_minutes(seen, usage)
        await self._load(set(raw) - set(self._clients), now)
        default, policies = await self._sanctions.all_policies()
        for client_id, client in self._clients.items():
            client.policy = policies.get(client_id, default)
        await self._take_undone()
        said, hours = await asyncio.to_thread(self._look, raw, now)
        await self._write(hours)
        self._read_until_us = now
        return sum([await self._carry_out(each) for each in said])

    async def purge(self) -> None:
        """Deletes what no baseline and no replay looks at any more."""
        now = now_us()
        async with self._db.write() as session:
            await store.purge(session, now - KEPT_MINUTES_US, now - KEPT_HOURS * HOUR_US)

    def _look(self, raw: dict[str, dict[int, RawMinute]], now: int) -> tuple[list[_Said], list[tuple[str, Learned]]]:
        said: list[_Said] = []
        hours: list[tuple[str, Learned]] = []
        for client_id, client in self._clients.items():
            minutes = raw.get(client_id, {})
            for minute_us in sorted(minutes):
                if minute_us >= client.hour_us:
                    client.take(minute_us, minutes[minute_us])
            while client.hour_us + HOUR_US + _SETTLED_US <= now:
                hour, step = client.end_hour()
                if hour.hour.total.requests or hour.hour.total.failures:
                    hours.append((client_id, hour))
                if step is not None:
                    said.append(_Said(client_id, step))
            current_us = now // MINUTE_US * MINUTE_US
            for minute_us in (current_us - MINUTE_US, current_us):
                step = client.look(minute_us, now) if minute_us in minutes else None
                if step is not None:
                    said.append(_Said(client_id, step))
        return said, hours

    async def _load(self, client_ids: set[str], now: int) -> None:
        until_us = (now - _SETTLED_US) // HOUR_US * HOUR_US
        for client_id in sorted(client_ids):
            async with self._db.read() as session:
                rows = await store.hours(session, client_id, now - KEPT_HOURS * HOUR_US, until_us)
                live = await store.sanctions(session, client_id=client_id, live_us=now)
                undone = [row for row in await store.undone(session, now - _FORGIVEN_US) if row.client_id == client_id]
            hours = [learned(row.start_us, row.counts, row.networks, row.models) for row in rows]
            # An hour that nobody has learned yet is judged from its minutes, which a judge that takes over has read.
            ended_us = max(hours[-1].start_us + HOUR_US if hours else 0, now // HOUR_US * HOUR_US - HOUR_US)
            client = WatchedClient()
            await asyncio.to_thread(client.learn, hours, min(until_us, ended_us))
            if live:
                _resume(client, max((row for row, _ in live), key=lambda row: _LEVELS[row.level]))
            for row in undone:
                _forgive(client, row)
            self._clients[client_id] = client

    async def _take_undone(self) -> None:
        """What people undid in the last minutes is forgiven, and the case begun anew."""
        async with self._db.read() as session:
            rows = await store.undone(session, now_us() - 4 * MINUTE_US)
        for row in rows:
            client = self._clients.get(row.client_id)
            if client is not None:
                _forgive(client, row)
                if client.sanction_id == row.id:
                    client.watch.case, client.sanction_id = Case(), ""

    async def _write(self, hours: list[tuple[str, Learned]]) -> None:
        if not hours:
            return
        rows = [
            {
                "start_us": hour.start_us,
                "client_id": client_id,
                "counts": hour.stored(),
                "networks": hour.networks,
                "models": hour.models,
            }
            for client_id, hour in hours
        ]
        async with self._db.write() as session:
            await store.put_hours(session, rows)

    async def _carry_out(self, said: _Said) -> bool:
        client, step = self._clients[said.client_id], said.step
        until_us = int(step.until * SECOND_US)
        if not step.is_new:
            if client.sanction_id and until_us >= client.sanction_until_us + _EXTENDED_US:
                await self._sanctions.extend(client.sanction_id, until_us)
                client.sanction_until_us = until_us
            return False
        finding = Finding(
            said.client_id,
            step.level,
            client.policy.name,
            step.score,
            step.evidence,
            until_us,
            client.throttle_rpm,
        )
        verdict = await self._sanctions.impose(finding)
        if verdict is None:
            return False
        client.sanction_id, client.sanction_until_us = verdict.id, until_us
        self._alerts.note(
            "unusual_traffic",
            said.client_id,
            words_of(verdict.client, step, until_us),
            severity=Severity.CRITICAL if step.level >= Level.QUARANTINE else Severity.WARNING,
            client_id=said.client_id,
            evidence={"sanction_id": verdict.id, "evidence": [each._asdict() for each in step.evidence]},
            ends_after_seconds=max(1.0, (until_us - now_us()) / SECOND_US),
        )
        return True


def _resume(client: WatchedClient, row: Sanction) -> None:
    case = client.watch.case
    case.level, case.since, case.until = _LEVELS[row.level], row.since_us / SECOND_US, row.until_us / SECOND_US
    case.reasons = {each["group"] for each in row.evidence}
    case.seen = case.since
    client.sanction_id, client.sanction_until_us = row.id, row.until_us


def _forgive(client: WatchedClient, row: Sanction) -> None:
    forgiven = dict(client.watch.forgiven)
    for each in row.evidence:
        name = f"{each['feature']}/{each['window']}"
        forgiven[name] = max(forgiven.get(name, 0.0), float(each["observed"]))
    client.watch.forgiven = forgiven


_DONE = {
    Level.ALERT: "nothing was done",
    Level.THROTTLE: "it is slowed down",
    Level.QUARANTINE: "it is in quarantine",
    Level.BLOCK: "it is blocked",
}


def words_of(client: str, step: Step, until_us: int) -> str:
    """A verdict in a sentence."""
    strongest = sorted(step.evidence, key=lambda each: -each.bans)[:2]
    done = _DONE[step.level] + (f" until {iso(until_us)}" if step.level > Level.ALERT else "")
    return f"Client {client}: {' and '.join(map(said_of, strongest))}; {done}."


def said_of(evidence: Evidence) -> str:
    """One thing that is not as usual, in words."""
    if evidence.group == "ceiling":
        ceiling = f"{evidence.feature}/{evidence.window}"
        return f"{evidence.observed:,.0f}, over the ceiling of {evidence.expected:,.0f} {ceiling}"
    if evidence.feature == "drift":
        return "more than usual hour after hour, for long"
    observed, expected = evidence.observed, evidence.expected
    if evidence.feature == "cost":
        return f"a cost of ${observed / 1e9:,.2f} in an hour, where at most ${expected / 1e9:,.2f} is usual"
    window = {"minute": "a minute", "10 minutes": "ten minutes", "hour": "an hour"}.get(
        evidence.window, evidence.window
    )
    what = {"new addresses": "requests from new networks", "unusual models": "requests to unusual models"}.get(
        evidence.feature, evidence.feature
    )
    return f"{observed:,.0f} {what} in {window}, where at most {expected:,.0f} is usual"
