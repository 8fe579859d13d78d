"""The parts of the System page: who serves, what is beside us, the clock's work, the settings, what is kept."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row
from aiservice.portal.moments import shown_moment
from aiservice.services.cluster import WorkerView
from aiservice.services.examination import Finding
from aiservice.services.retention import Kept
from aiservice.services.shown_settings import ShownSetting
from aiservice.services.system import SystemFacts


class Line(TypedDict):
    """One line of a table of this page: `a` to `d` are its cells, `state` a badge, `id` what a button acts on."""

    id: str
    a: str
    b: str
    c: str
    d: str
    state: str
    state_kind: str
    can_act: bool


WORKERS = ["Worker", "Node", "Serves since", "Last beat", "State"]
JOBS = ["Job", "Last run", "Next", "Last fault", "State"]
SETTINGS = ["Setting", "Value", "From"]
KEPT = ["What", "Rows", "Oldest", "Kept", ""]
FINDINGS = ["Looked at", "Found", "Next step", "State"]
_FINDING = {"ok": "good", "warn": "warn", "fail": "bad"}


def line(name: str, a: str, *more: str, state: tuple[str, str] = ("", ""), can_act: bool = False) -> Line:
    """A line with up to four cells."""
    b, c, d = (*more, "", "", "")[:3]
    return Line(id=name, a=a, b=b, c=c, d=d, state=state[0], state_kind=state[1], can_act=can_act)


def worker_line(one: WorkerView) -> Line:
    """A worker: which process on which host, of which node, since when."""
    name = f"process {one.pid}" + (" (this one)" if one.is_here else "")
    state = ("alive", "good") if one.is_alive else ("silent", "bad")
    node = f"{one.host}\n{one.node_id}"
    return line(one.id, name, node, moment(one.started_us), f"{one.silent_seconds:.0f} s ago", state=state)


def job_lines(facts: SystemFacts) -> list[Line]:
    """The clock's work by name, what fails first."""
    lines = []
    for name, one in sorted(facts.jobs.items(), key=lambda each: (not each[1]["is_failing"], each[0])):
        ran = "not by anybody alive"
        if one["ran_seconds_ago"] is not None:
            ran = f"{_span(one['ran_seconds_ago'])} ago, took {one['took_seconds']:.3f} s"
        fault = "none"
        if one["failed_seconds_ago"] is not None:
            fault = f"{one['fault']}, {_span(one['failed_seconds_ago'])} ago"
        state = ("fails", "bad") if one["is_failing"] else ("well", "good")
        every = f"in {_span(one['next_seconds'])}\nevery {_span(one['every_seconds'])}"
        lines.append(line(name, name, ran, every, fault, state=state))
    return lines


def setting_line(one: ShownSetting) -> Line:
    """A setting with its value and source."""
    return line(one.name, one.name, one.value, one.source)


def kept_line(one: Kept) -> Line:
    """What is kept of one kind."""
    rows = f"{'about ' if one.is_estimate else ''}{one.rows:,}"
    over = f"{rows}\n{one.over:,} past their time" if one.over else rows
    oldest = "-" if one.oldest_us is None else moment(one.oldest_us)
    kept = f"{one.kept}\n{one.setting}" if one.setting else one.kept
    return line(one.name, one.title, over, oldest, kept, can_act=one.can_purge)


def finding_line(one: Finding) -> Line:
    """What one examination found."""
    return line(one.name, one.name, one.message, one.next_step or "-", state=(one.state, _FINDING[one.state]))


def moment(at_us: int) -> str:
    return shown_moment(at_us)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def _text(value: Any, class_name: str = "") -> rx.Component:
    return rx.el.span(value, class_name=f"block text-xs whitespace-pre-line wrap-anywhere {class_name}")


def state_table(heads: list[str], lines: Any, caption: str) -> rx.Component:
    """A table whose last column is a state: as many cells before it as `heads` say."""
    names = ["a", "b", "c", "d"][: len(heads) - 1]

    def row(one: Any) -> rx.Component:
        first = cell(rx.el.span(one["a"], class_name="block font-medium wrap-anywhere"))
        rest = [cell(_text(one[name], "tabular-nums")) for name in names[1:]]
        return table_row(heads, first, *rest, cell(state_badge(one["state"], one["state_kind"])))

    return data_table(heads, rx.foreach(lines, row), caption=caption)


def settings_table(lines: Any) -> rx.Component:
    """The settings; their names are what one searches the page for."""

    def row(one: Any) -> rx.Component:
        return table_row(
            SETTINGS,
            cell(_text(one["a"], "font-mono")),
            cell(_text(one["b"])),
            cell(
                rx.match(
                    one["c"],
                    ("default", rx.el.span("default", class_name=f"text-xs {theme.MUTED}")),
                    state_badge(one["c"], "plain"),
                )
            ),
        )

    return data_table(SETTINGS, rx.foreach(lines, row), caption="Settings that hold, with their source")


def kept_table(lines: Any, on_purge: Any) -> rx.Component:
    """What is kept; `on_purge` takes a line's id."""

    def row(one: Any) -> rx.Component:
        button = confirm_button(
            "Purge now",
            title=f"Delete what is past its time: {one['a']}?",
            text="The clock does the same by itself, within the hour. What is younger stays.",
            confirm="Delete it",
            on_confirm=on_purge(one["id"]),
        )
        return table_row(
            KEPT,
            cell(rx.el.span(one["a"], class_name="block font-medium")),
            cell(_text(one["b"], "tabular-nums")),
            cell(_text(one["c"], "tabular-nums whitespace-nowrap")),
            cell(_text(one["d"])),
            cell(
                rx.cond(one["can_act"], rx.el.div(button, class_name="max-sm:-mx-3.5")),
                class_name="text-right max-sm:text-left",
            ),
            key=one["id"],
        )

    return data_table(KEPT, rx.foreach(lines, row), caption="What is kept, and for how long")
