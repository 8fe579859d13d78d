"""Looks at what rules watch and keeps the alerts that come of it. One worker of all does it, under a lease.

Where a subject stands and its alert are written in one unit of work: it fires once and resolves once, whoever is killed
when. Fails closed on its data: while the database does not answer nothing fires and nothing resolves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.kit.durations import format_duration
from aiservice.kit.ids import new_id
from aiservice.services.alert_contributors import EVIDENCE, Contributor, contributors
from aiservice.services.alert_metrics import METRICS, SCOPES, evidence_of, value_of
from aiservice.services.alert_rules import AlertRules, RuleView, view
from aiservice.services.alert_terms import Course, Verdict, judge
from aiservice.services.usage import Usage
from aiservice.services.usage_sums import Sums
from aiservice.store import alert_rules as store
from aiservice.store import alerts as alert_store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import AlertCourse

_COLUMNS = {"client": "client_id", "key": "key_id", "connection": "provider", "task": "task", "model": "model"}


@dataclass(slots=True, frozen=True)
class Reading:
    """What was measured of one subject; `value` None is no data. `client_id` says whose owner may see it."""

    subject: str
    name: str
    value: float | None
    client_id: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


class AlertWatch:
    """Evaluates the measured rules."""

    def __init__(self, db: Database, usage: Usage, rules: AlertRules) -> None:
        self._db = db
        self._usage = usage
        self._rules = rules

    async def look(self, at_us: int | None = None) -> None:
        """One look at everything that is watched; also ends what was to end unless it was said again."""
        now = now_us() if at_us is None else at_us
        await self._rules.ensure_builtin()
        async with self._db.read() as session:
            rules = [view(row) for row in await store.rules(session)]
        for rule in rules:
            if rule.is_measured:
                readings = [] if rule.is_disabled else await self._readings(rule, now)
                await self._apply(rule, readings, now)
        async with self._db.read() as session:
            is_any = await alert_store.has_silent(session, now)
        if is_any:
            async with self._db.write() as session:
                await alert_store.end_silent(session, now)

    async def _apply(self, rule: RuleView, readings: list[Reading], at_us: int) -> None:
        async with self._db.read() as session:
            courses = {subject: _course(row) for subject, row in (await store.courses(session, rule.id)).items()}
        changed: list[tuple[Reading, Course, Verdict]] = []
        for reading in readings:
            before = courses.get(reading.subject, Course())
            after, verdict = judge(rule.terms, before, reading.value, at_us)
            if after != before:
                changed.append((reading, after, verdict))
        gone = courses.keys() - {reading.subject for reading in readings}
        if not changed and not gone:
            return
        fired = [reading for reading, _, verdict in changed if verdict is Verdict.FIRE]
        made_by = {reading.subject: await self._made_by(rule, reading, at_us) for reading in fired}
        async with self._db.write() as session:
            for subject in gone:
                await alert_store.end(session, _open_key(rule, subject), at_us)
            await store.forget_courses(session, rule.id, gone)
            for reading, after, verdict in changed:
                await _keep_course(session, rule, reading.subject, after)
                if verdict is Verdict.FIRE:
                    row = _row(rule, reading, at_us, made_by[reading.subject])
                    await alert_store.begin_or_count(session, row)
                elif verdict is Verdict.RESOLVE:
                    await alert_store.end(session, _open_key(rule, reading.subject), at_us)

    async def _made_by(self, rule: RuleView, reading: Reading, at_us: int) -> list[Contributor]:
        """Who has the largest part in a figure that is too high."""
        if rule.is_below or reading.value is None or rule.metric == "key_expiry":
            return []
        span = (at_us - rule.window_seconds * SECOND_US, at_us)
        filters = {_COLUMNS[rule.scope]: reading.subject} if rule.scope in _COLUMNS else {}
        return await contributors(self._usage, rule.metric, rule.scope, span, filters)

    async def _readings(self, rule: RuleView, at_us: int) -> list[Reading]:
        if rule.metric == "key_expiry":
            return await self._expiring(rule, at_us)
        since_us = at_us - rule.window_seconds * SECOND_US
        column = _COLUMNS.get(rule.scope, "")
        filters = {column: rule.subject} if rule.subject else {}
        group = SCOPES[rule.scope]
        sums = await self._usage.totals(since_us, at_us, group_by=group, filters=filters)
        subjects = set(sums) if rule.scope != "all" else {""}
        if rule.subject:
            subjects = {rule.subject}
        elif rule.is_below and rule.scope != "all":  # who has gone quiet has no sums: they had some within the day
            subjects |= set(await self._usage.totals(at_us - DAY_US, at_us, group_by=group))
        async with self._db.read() as session:
            subjects |= set(await store.courses(session, rule.id)) if not rule.subject else set()
            about = await store.about(session, rule.scope, subjects)
        found = []
        for subject in sorted(subjects):
            of_it = sums.get(subject, Sums())
            name, client_id = about.get(subject, (subject, None))
            found.append(Reading(subject, name, value_of(rule.metric, of_it), client_id, evidence_of(of_it)))
        return found

    async def _expiring(self, rule: RuleView, at_us: int) -> list[Reading]:
        """The keys that expire before the threshold; all others are well, and are not among the readings."""
        before_us = at_us + int((rule.threshold or 0) * DAY_US)
        async with self._db.read() as session:
            rows = await store.ending_keys(session, at_us, before_us)
        return [
            Reading(
                key.id,
                f"{key.name} of {client}",
                ((key.expires_us or 0) - at_us) / DAY_US,
                key.client_id,
                {"key": key.id, "key_name": key.name, "client": client, "expires_us": key.expires_us},
            )
            for key, client in rows
            if not rule.subject or rule.subject in (key.id, key.client_id)
        ]


def _course(row: AlertCourse) -> Course:
    return Course(row.is_firing, row.turned_us)


async def _keep_course(session: AsyncSession, rule: RuleView, subject: str, course: Course) -> None:
    if course == Course():
        await store.forget_courses(session, rule.id, [subject])
    else:
        row = AlertCourse(rule_id=rule.id, subject=subject, is_firing=course.is_firing, turned_us=course.turned_us)
        await session.merge(row)


def _open_key(rule: RuleView, subject: str) -> str:
    return f"{rule.id}:{subject[:120]}"


def _row(rule: RuleView, reading: Reading, at_us: int, made_by: list[Contributor]) -> dict[str, Any]:
    return {
        "id": new_id("alt"),
        "kind": rule.metric,
        "subject": reading.subject[:120],
        "open_key": _open_key(rule, reading.subject),
        "client_id": reading.client_id,
        "rule_id": rule.id,
        "severity": int(rule.severity),
        "words": _words(rule, reading)[:500],
        "evidence": {
            "value": reading.value,
            "threshold": rule.threshold,
            "window_seconds": rule.window_seconds,
            "scope": rule.scope,
            **reading.evidence,
            **({EVIDENCE: made_by} if made_by else {}),
        },
        "count": 1,
        "worker": "",
        "first_us": at_us,
        "last_us": at_us,
        "ends_us": None,
    }


def _words(rule: RuleView, reading: Reading) -> str:
    """One sentence: what, how much, against what."""
    metric = METRICS[rule.metric]
    of_what = f" of {rule.scope} {reading.name}" if reading.name else ""
    if rule.metric == "key_expiry":
        days = max(0.0, reading.value or 0.0)
        return f"The key {reading.name} expires in {days:.1f} days. Roll it, or give it a later end."
    than = "below" if rule.is_below else "above"
    limit = f"{_number(rule.threshold)}{_unit(metric.unit)}"
    over = format_duration(rule.window_seconds)
    if reading.value is None:
        return f"{metric.title}{of_what}: there is no data of the last {over}."
    return f"{metric.title}{of_what}: {_number(reading.value)}{_unit(metric.unit)} in {over}, {than} {limit}."


def _number(value: float | None) -> str:
    value = value or 0.0
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.2f}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
