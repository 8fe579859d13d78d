"""System: who serves, how the stores beside us do, the clock's work, what is kept, and the settings. For admins."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.errors import BrokerError
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.parts import alert, card, empty, skeleton, tile
from aiservice.portal.components.system import (
    FINDINGS,
    JOBS,
    WORKERS,
    Line,
    finding_line,
    job_lines,
    kept_line,
    kept_table,
    setting_line,
    settings_table,
    state_table,
    worker_line,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.system import Health, SystemFacts


class Figure(TypedDict):
    """One figure of the installation."""

    name: str
    value: str
    note: str


class SystemState(rx.State):
    """One look at the installation."""

    figures: list[Figure] = []
    warnings: list[str] = []
    workers: list[Line] = []
    jobs: list[Line] = []
    settings: list[Line] = []
    kept: list[Line] = []
    findings: list[Line] = []
    versions: str = ""
    problem: str = ""
    problem_id: str = ""
    is_examining: bool = False
    is_loaded: bool = False

    @handler("system.get")
    async def load(self) -> None:
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.problem, self.problem_id = error.message, new_id("req")
        self.is_loaded = True

    @handler("system.examine")
    async def examine(self):  # type: ignore[no-untyped-def]
        """What `doctor` looks at, from inside."""
        self.is_examining = True
        yield
        try:
            found = await current_core().system.examine(signed_in())
            self.findings = [finding_line(one) for one in found]
        finally:
            self.is_examining = False

    @handler("retention.purge")
    async def purge(self, name: str) -> None:
        deleted = await current_core().retention.purge(signed_in(), name)
        await tell(self, f"Deleted {deleted:,} row{'' if deleted == 1 else 's'} past their time.")
        await _show_kept(self)


async def _show(state: SystemState) -> None:
    core, me = current_core(), signed_in()
    facts = await core.system.look(me)
    state.figures, state.warnings = _figures(facts), _warnings(facts)
    state.workers = [worker_line(one) for one in facts.workers]
    state.jobs = job_lines(facts)
    state.settings = [setting_line(one) for one in await core.system.settings(me)]
    state.versions = ", ".join(f"{name} {number}" for name, number in facts.versions)
    await _show_kept(state)


async def _show_kept(state: SystemState) -> None:
    state.kept = [kept_line(one) for one in await current_core().retention.list(signed_in())]


def _figures(facts: SystemFacts) -> list[Figure]:
    nodes = len({one.node_id for one in facts.workers if one.is_alive})
    alive = sum(one.is_alive for one in facts.workers)
    ledger = facts.ledger
    schema = "this release's" if facts.schema_is_current else "not this release's"
    return [
        Figure(name="Workers", value=f"{alive:,}", note=f"on {nodes:,} node{'' if nodes == 1 else 's'}"),
        _store("Database", facts.database),
        Figure(name="Schema", value=facts.schema, note=schema),
        _store("Redis", facts.redis),
        Figure(
            name="Ledger lag",
            value=f"{ledger.lag_seconds:.1f} s",
            note=f"{ledger.waiting_rows:,} rows wait for the database",
        ),
        Figure(name="Journal", value=ledger.journal.state, note=ledger.journal.message),
        Figure(name="Requests under way", value=f"{ledger.in_flight:,}", note="on servers over this data folder"),
        Figure(name="Event loop", value=_loop(facts), note="latest, 99 of 100 looks in a minute, worst worker"),
    ]


def _store(name: str, health: Health) -> Figure:
    value = f"{health.ping_ms:.1f} ms" if health.is_up else "away" if health.is_used else "none"
    return Figure(name=name, value=value, note=health.words)


def _loop(facts: SystemFacts) -> str:
    worst = max((one.get("event_loop_lag_p99_seconds", 0.0) for one in facts.gauges), default=0.0)
    return f"{worst * 1000:.1f} ms"


def _warnings(facts: SystemFacts) -> list[str]:
    """What somebody should see to, each with what to do."""
    found = []
    if not facts.database.is_up:
        found.append("The database does not answer. Requests are kept in the journal until it is back.")
    elif not facts.schema_is_current:
        found.append("The database's schema is not this release's. Run: python -m aiservice migrate.")
    if facts.redis.is_used and not facts.redis.is_up:
        found.append("Redis does not answer: limits are split between workers, and edits take seconds to be heard of.")
    if facts.ledger.failure:
        found.append(f"The journal cannot be written: {facts.ledger.failure}. Look at the disk of the data folder.")
    if facts.ledger.journal.next_step:
        found.append(f"{facts.ledger.journal.message} {facts.ledger.journal.next_step}")
    silent = [f"process {one.pid} on {one.host}" for one in facts.workers if not one.is_alive]
    if silent:
        found.append(f"Workers that fell silent: {', '.join(silent)}. What they had is settled by the others.")
    failing = [name for name, one in facts.jobs.items() if one["is_failing"]]
    if failing:
        found.append(f"Jobs that fail: {', '.join(failing)}. The server's log has why.")
    return found


page: Any = SystemState  # in markup its attributes are Vars


@portal_page("/system", title="System", icon="gauge", place=70, on_load=SystemState.load)
def system() -> rx.Component:
    waiting = rx.el.div(skeleton("h-24"), skeleton("h-96"), class_name="grid gap-4", custom_attrs={"aria-busy": "true"})
    return rx.cond(page.is_loaded, rx.cond(page.problem != "", _problem(), _content()), waiting)


def _content() -> rx.Component:
    again = rx.el.button("Look again", type="button", on_click=page.load, class_name=theme.SECONDARY)
    return rx.el.div(
        rx.foreach(page.warnings, lambda words: alert(words, kind="warn")),
        rx.el.div(rx.foreach(page.figures, tile), class_name="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4"),
        card(
            state_table(WORKERS, page.workers, "Workers that serve on this database"),
            rx.el.p(page.versions, class_name=f"mt-4 text-xs {theme.MUTED}"),
            title="Nodes and workers",
            actions=again,
        ),
        _examination(),
        card(kept_table(page.kept, page.purge), title="What is kept"),
        _folded(
            "Work on a clock",
            "Every job with its last run, its next and its last fault; what fails is told above.",
            rx.cond(
                page.jobs.length() > 0,
                state_table(JOBS, page.jobs, "Work on a clock"),
                empty("No work on a clock yet", "A server begins it when it starts."),
            ),
        ),
        _folded(
            "Settings",
            "As this server read them when it started. Change them where it runs, then start it anew.",
            settings_table(page.settings),
        ),
        class_name="flex flex-col gap-4",
    )


def _folded(title: str, words: str, content: rx.Component) -> rx.Component:
    """A card whose long content is there on demand."""
    return card(
        rx.el.p(words, class_name=f"mb-3 text-sm {theme.MUTED}"),
        rx.el.details(
            rx.el.summary("Show all", class_name=f"cursor-pointer text-sm font-medium {theme.FOCUS}"),
            rx.el.div(content, class_name="mt-3"),
        ),
        title=title,
    )


def _examination() -> rx.Component:
    button = rx.el.button(
        rx.cond(page.is_examining, "Examining…", "Examine now"),
        type="button",
        on_click=page.examine,
        disabled=page.is_examining,
        class_name=theme.SECONDARY,
    )
    return card(
        rx.cond(
            page.findings.length() > 0,
            state_table(FINDINGS, page.findings, "What the examination found"),
            rx.el.p(
                "The same that python -m aiservice doctor finds: the data folder, the database, the master key and "
                "every sealed secret, the audit log's chain, the ledger's sums, the clock.",
                class_name=f"text-sm {theme.MUTED}",
            ),
        ),
        title="Examination",
        actions=button,
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The system could not be looked at. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.button("Try again", type="button", on_click=page.load, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )
