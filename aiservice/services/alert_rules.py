"""What is watched, as admins set it. Some rules are there from the start; they can be changed and switched off."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.alert_metrics import EVENTS, METRICS, SCOPES
from aiservice.services.alert_notes import Severity
from aiservice.services.alert_terms import NoData, Terms
from aiservice.services.audit_entry import record
from aiservice.services.clients import visible_client
from aiservice.services.managed_keys import managed_key
from aiservice.services.names import clean_name, no_such, shown, suggestion
from aiservice.services.rights import needs
from aiservice.store import alert_rules as store
from aiservice.store import alerts as alert_store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import take_turn
from aiservice.store.unique import Taken, add_unique
from aiservice.tables import AlertRule

MAX_WINDOW_SECONDS = 30 * 86_400
_MAX_FOR_SECONDS = 86_400
_MAX_THRESHOLD = 1e15
_MAX_RULES = 500


@dataclass(slots=True, frozen=True)
class RuleTerms:
    """What a rule asks, as people give it. `subject`: the name or id of one client, key, connection, task or model, or
    "" for each by itself; `channels`: names, None for all. An event's rule has no threshold."""

    metric: str
    threshold: float | None = None
    is_below: bool = False
    scope: str = "all"
    subject: str = ""
    window_seconds: int = 300
    for_seconds: int = 0
    no_data: str = NoData.OK.value
    severity: Severity = Severity.WARNING
    channels: tuple[str, ...] | None = None


@dataclass(slots=True, frozen=True)
class RuleView(RuleTerms):
    """A rule as people see it."""

    id: str = ""
    name: str = ""
    is_builtin: bool = False
    is_disabled: bool = False

    @property
    def terms(self) -> Terms:
        """For `judge`. What counts days has no band: its value only ever falls."""
        has_band = not (self.metric == "key_expiry" or (self.metric == "requests" and self.is_below))
        return Terms(self.threshold or 0.0, self.is_below, self.for_seconds, NoData(self.no_data), has_band)

    @property
    def is_measured(self) -> bool:
        return self.metric in METRICS


_BUILTIN = (
    RuleView(
        "error_share",
        20.0,
        scope="connection",
        for_seconds=60,
        id="rul_builtin_error_share",
        name="Many requests through a provider fail",
    ),
    RuleView("key_expiry", 7.0, is_below=True, scope="key", id="rul_builtin_key_expiry", name="A key expires soon"),
    *(RuleView(kind, id=f"rul_builtin_{kind}", name=title) for kind, title in sorted(EVENTS.items())),
)


class AlertRules:
    """Admins see and change rules."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._has_builtin = False

    @needs("alert_rule.list")
    async def list(self, actor: Person) -> Sequence[RuleView]:
        """All rules.

        Raises:
            PermissionDenied: the actor is no admin.
        """
        await self.ensure_builtin()
        async with self._db.read() as session:
            return [view(row) for row in await store.rules(session)]

    @needs("alert_rule.list")
    async def find(self, actor: Person, name_or_id: str) -> RuleView:
        """One rule. Raises as `list`, and NotFound."""
        for rule in await self.list(actor):
            if name_or_id in (rule.id, rule.name):
                return rule
        async with self._db.read() as session:
            return view(await existing_rule(session, name_or_id))

    @needs("alert_rule.set")
    async def set(self, actor: Person, name: str, terms: RuleTerms) -> RuleView:
        """Makes a rule, or gives the one of that name (or id) new terms. It begins anew: what was firing resolves.

        Raises:
            PermissionDenied: the actor is no admin.
            NotFound: the client, key or channel does not exist.
            Unprocessable: a value is not valid; `param` names it.
        """
        await self.ensure_builtin()
        async with self._db.write() as session:
            row = await store.find_rule(session, name)
            if row is None:
                if len(await store.rules(session)) >= _MAX_RULES:
                    raise Unprocessable(f"There are {_MAX_RULES} rules already. Remove some.", code="too_many")
                row = AlertRule(
                    id=new_id("rul"), name=clean_name(name, "rule"), metric=terms.metric, created_us=now_us()
                )
            elif row.is_builtin and row.metric != terms.metric:
                raise _invalid("metric", f"The built-in rule '{row.name}' watches {row.metric} and nothing else.")
            checked = await self._checked(session, actor, terms)
            for field, value in asdict(checked).items():
                setattr(row, field, value)
            row.severity = int(checked.severity)
            row.channels = None if checked.channels is None else [*checked.channels]
            await alert_store.end_of_rule(session, row.id, now_us(), actor.email)
            await store.forget_courses(session, row.id)
            await _add(session, row)
            record(session, actor, "alert_rule.set", row.id, after=asdict(view(row)))
            return view(row)

    @needs("alert_rule.remove")
    async def remove(self, actor: Person, name_or_id: str) -> None:
        """Removes a rule, and resolves what it had found.

        Raises:
            NotFound, PermissionDenied: as `find`.
            Unprocessable: it is built in; switch it off instead.
        """
        async with self._db.write() as session:
            row = await existing_rule(session, name_or_id)
            if row.is_builtin:
                raise Unprocessable(
                    f"'{row.name}' is built in. Switch it off instead: alert rule disable '{row.name}'", code="built_in"
                )
            await alert_store.end_of_rule(session, row.id, now_us(), actor.email)
            await store.forget_courses(session, row.id)
            record(session, actor, "alert_rule.remove", row.id, before={"name": row.name})
            await session.delete(row)

    @needs("alert_rule.switch")
    async def switch(self, actor: Person, name_or_id: str, *, is_on: bool) -> RuleView:
        """Switches a rule on or off; raises as `find`."""
        await self.ensure_builtin()
        async with self._db.write() as session:
            row = await existing_rule(session, name_or_id)
            row.is_disabled = not is_on
            record(session, actor, "alert_rule.enable" if is_on else "alert_rule.disable", row.id)
            return view(row)

    async def ensure_builtin(self) -> None:
        """Makes the rules that are there from the start, where they are not yet; whoever is first does it."""
        if self._has_builtin:
            return
        async with self._db.read() as session:
            known = {row.id for row in await store.rules(session)}
        if not all(rule.id in known for rule in _BUILTIN):
            async with self._db.write() as session:
                await take_turn(session, "alert rules")
                rows = await store.rules(session)
                taken = {row.id for row in rows} | {row.name for row in rows}
                for rule in _BUILTIN:
                    if rule.id not in taken and rule.name not in taken:
                        session.add(AlertRule(**asdict(replace(rule, is_builtin=True)), created_us=now_us()))
        self._has_builtin = True

    async def _checked(self, session: AsyncSession, actor: Person, terms: RuleTerms) -> RuleTerms:
        _check_numbers(terms)
        subject = terms.subject.strip()
        if subject and terms.scope == "client":
            subject = (await visible_client(session, actor, subject)).id
        elif subject and terms.scope == "key":
            subject = (await managed_key(session, actor, subject, "key.get", to_change=False))[0].id
        elif len(subject) > 120 or not subject.isprintable():
            raise _invalid("subject", "This is not the name of anything that can be watched.")
        elif subject and terms.scope == "all":
            raise _invalid("scope", "Say what it is the name of: client, key, connection, task or model.")
        if terms.channels is not None:
            known = {channel.name for channel in await store.channels(session)}
            for name in terms.channels:
                if name not in known:
                    raise no_such("alert channel", name, known)
        return replace(terms, subject=subject)


def _check_numbers(terms: RuleTerms) -> None:
    if terms.metric not in METRICS and terms.metric not in EVENTS:
        known = [*METRICS, *EVENTS]
        message = f"'{shown(terms.metric)}' cannot be watched.{suggestion(terms.metric, known)}"
        raise _invalid("metric", message)
    if terms.scope not in SCOPES:
        raise _invalid("scope", f"A rule is about one of {', '.join(SCOPES)}.")
    if terms.metric in EVENTS and (terms.threshold is not None or terms.subject):
        raise _invalid("threshold", f"{terms.metric} happens or does not: its rule has no threshold and no subject.")
    if terms.metric in METRICS and not (terms.threshold is not None and 0 <= terms.threshold <= _MAX_THRESHOLD):
        raise _invalid("threshold", "Give the rule a threshold of 0 or more.")
    if terms.metric == "key_expiry" and (terms.scope not in ("key", "client") or not terms.is_below):
        raise _invalid("scope", "Days until a key expires are watched per key or client, and alarm when below.")
    if not 60 <= terms.window_seconds <= MAX_WINDOW_SECONDS:
        raise _invalid("window", "The window is between 1 minute and 30 days long.")
    if not 0 <= terms.for_seconds <= _MAX_FOR_SECONDS:
        raise _invalid("for", "How long it must last is at most a day.")
    if terms.no_data not in set(NoData):
        raise _invalid("no_data", "Without data a rule is ok, alert or keep.")


def view(row: AlertRule) -> RuleView:
    """A rule as people see it."""
    return RuleView(
        metric=row.metric,
        threshold=row.threshold,
        is_below=row.is_below,
        scope=row.scope,
        subject=row.subject,
        window_seconds=row.window_seconds,
        for_seconds=row.for_seconds,
        no_data=row.no_data,
        severity=Severity(row.severity),
        channels=None if row.channels is None else tuple(row.channels),
        id=row.id,
        name=row.name,
        is_builtin=row.is_builtin,
        is_disabled=row.is_disabled,
    )


async def existing_rule(session: AsyncSession, name_or_id: str) -> AlertRule:
    """The rule of that name or id. Raises NotFound."""
    row = await store.find_rule(session, name_or_id)
    if row is None:
        raise no_such("alert rule", name_or_id, [rule.name for rule in await store.rules(session)])
    return row


async def _add(session: AsyncSession, row: AlertRule) -> None:
    try:
        await add_unique(session, row)
    except Taken:
        message = f"There is already a rule called '{shown(row.name)}'. Choose another name."
        raise Unprocessable(message, code="name_taken", param="name") from None


def _invalid(param: str, message: str) -> Unprocessable:
    return Unprocessable(message, code=f"invalid_{param}", param=param)
