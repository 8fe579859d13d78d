"""What is said of a client whose traffic is not as usual: rows of verdicts, and the notice its owner sees."""

from collections.abc import Sequence
from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import alert, cell, state_badge, table_row
from aiservice.portal.moments import shown_moment
from aiservice.services.abuse_features import Evidence
from aiservice.services.abuse_judge import said_of
from aiservice.services.abuse_replay import WouldHave
from aiservice.services.sanctions import Verdict

VERDICT_HEADS = ["Client", "What", "Why", "From", "State"]
REPLAY_HEADS = ["When", "What", "Why"]
_KINDS = {"alert": "plain", "throttle": "warn", "quarantine": "warn", "block": "bad"}
_DONE = {
    "throttle": "is slowed down to about its usual",
    "quarantine": "may make 6 requests a minute, one at a time",
    "block": "is blocked: every request gets 403",
}


class VerdictRow(TypedDict):
    """A verdict in a list; `why` has a line for each thing that was not as usual."""

    id: str
    client: str
    level: str
    kind: str
    why: list[str]
    since: str
    until: str
    state: str


def verdict_row(verdict: Verdict) -> VerdictRow:
    """How a verdict is shown."""
    state = "ended"
    if verdict.undone_us is not None:
        state = f"undone by {verdict.undone_by}"
    elif verdict.is_live:
        state = f"until {moment(verdict.until_us)}"
    return VerdictRow(
        id=verdict.id,
        client=verdict.client,
        level=verdict.level,
        kind=_KINDS.get(verdict.level, "plain"),
        why=why_of(verdict.evidence),
        since=moment(verdict.since_us),
        until=moment(verdict.until_us),
        state=state,
    )


def why_of(evidence: Sequence[Evidence]) -> list[str]:
    """What was not as usual, the most unlikely first, with how unlikely."""
    found = []
    for each in sorted(evidence, key=lambda one: -one.bans):
        chance = "" if each.group == "ceiling" else f" (less than 1 in {10 ** min(int(each.bans), 8):,})"
        found.append(f"{said_of(each)}{chance}")
    return found


def moment(at_us: int) -> str:
    """To the minute, UTC."""
    return shown_moment(at_us)


def notices_of(verdicts: Sequence[Verdict]) -> list[str]:
    """What the owner of hindered clients is told, a sentence each."""
    return [
        f"Client {each.client} {_DONE[each.level]} until {moment(each.until_us)}, because of "
        f"{'; '.join(why_of(each.evidence)[:2])}. An admin can lift it."
        for each in verdicts
        if each.level in _DONE
    ]


def sanction_notices(notices: Any) -> rx.Component:
    """Above a page, where there is anything to say."""
    return rx.cond(
        notices.length() > 0,
        rx.el.div(
            rx.foreach(notices, lambda notice: alert(notice, kind="warn")),
            class_name="flex flex-col gap-3",
        ),
    )


def why_cell(lines: Any) -> Any:
    """The lines of evidence in a table."""
    return cell(
        rx.el.ul(
            rx.foreach(lines, rx.el.li),
            class_name="flex flex-col gap-1 text-sm max-sm:text-left",
        ),
        class_name="min-w-64 whitespace-normal",
    )


def verdict_line(row: Any) -> rx.Component:
    """A past verdict."""
    return table_row(
        VERDICT_HEADS,
        cell(row["client"], class_name="font-medium break-all"),
        cell(state_badge(row["level"], row["kind"])),
        why_cell(row["why"]),
        cell(row["since"], class_name=theme.MUTED),
        cell(row["state"], class_name=theme.MUTED),
    )


class ReplayRow(TypedDict):
    """Something that a policy would have done."""

    at: str
    level: str
    kind: str
    why: list[str]


def replay_row(each: WouldHave) -> ReplayRow:
    """One act of a replayed policy, as the page shows it."""
    kind = {"throttle": "warn", "quarantine": "warn", "block": "bad"}.get(each.level, "plain")
    return ReplayRow(at=moment(each.at_us), level=each.level, kind=kind, why=why_of(each.evidence))


def replay_line(row: Any) -> rx.Component:
    return table_row(
        REPLAY_HEADS,
        cell(row["at"], class_name=theme.MUTED),
        cell(state_badge(row["level"], row["kind"])),
        why_cell(row["why"]),
    )
