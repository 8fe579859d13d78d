"""Abuse: what is done now and why, with undo; how far it may go; what a policy would have done; decoy keys."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.decoy import decoy_card
from aiservice.portal.components.parts import (
    card,
    cell,
    data_table,
    empty,
    field,
    select_field,
    state_badge,
    table_row,
    waiting,
)
from aiservice.portal.components.sanctions import (
    REPLAY_HEADS,
    VERDICT_HEADS,
    ReplayRow,
    VerdictRow,
    replay_line,
    replay_row,
    verdict_line,
    verdict_row,
    why_cell,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.abuse_policies import read_ceilings, written
from aiservice.services.core import current_core

POLICY_WORDS = [
    ("alert_only", "Only tell"),
    ("throttle", "Up to slowing down"),
    ("quarantine", "Up to quarantine"),
    ("automatic", "Up to a block"),
]
_EVERYBODY = "*"
_CEILINGS = "Such as requests/minute=600:throttle, cost/hour=25:alert (USD). Each with its own answer; empty: none."


class PolicyRow(TypedDict):
    """A stored policy."""

    client: str
    words: str
    ceilings: str


class Choice(TypedDict):
    """A client in a select."""

    value: str
    label: str


class SetPolicy(ValidatedDict):
    """The form that sets a policy."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    client: str
    policy: str
    ceilings: str


class TryPolicy(ValidatedDict):
    """The form that replays one."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    replay_client: str
    replay_policy: str
    replay_ceilings: str


class AbuseState(rx.State):
    """Verdicts, policies and a replay's answer."""

    live: list[VerdictRow] = []
    past: list[VerdictRow] = []
    policies: list[PolicyRow] = []
    clients: list[Choice] = []
    replayed: list[ReplayRow] = []
    replay_words: str = ""
    changes: int = 0
    is_loaded: bool = False

    @handler("abuse_policy.list")
    async def load(self) -> None:
        clients = await current_core().clients.list(signed_in())
        self.clients = [Choice(value=client.id, label=client.name) for client in clients]
        await _show(self)
        self.is_loaded = True

    @handler("sanction.undo")
    async def undo(self, sanction_id: str) -> None:
        verdict = await current_core().sanctions.undo(signed_in(), sanction_id)
        await tell(
            self, f"Undone. {verdict.client} is served as before, and as much of the same is all right for a week."
        )
        await _show(self)

    @handler("abuse_policy.set")
    async def set_policy(self, form: SetPolicy) -> None:
        client = None if form["client"] == _EVERYBODY else form["client"]
        ceilings = read_ceilings(_parts(form["ceilings"]))
        view = await current_core().sanctions.set_policy(signed_in(), client, form["policy"], ceilings)
        await tell(self, f"Set for {view.client or 'everybody without a policy of their own'}.")
        await _show(self)

    @handler("abuse_policy.replay")
    async def replay(self, form: TryPolicy) -> None:
        ceilings = read_ceilings(_parts(form["replay_ceilings"]))
        replay = current_core().replay
        found = await replay.run(signed_in(), form["replay_client"], form["replay_policy"], ceilings)
        self.replayed = [replay_row(each) for each in found]
        name = next((each["label"] for each in self.clients if each["value"] == form["replay_client"]), "")
        self.replay_words = (
            f"On the last 7 days of {name} it would have done this:"
            if found
            else f"On the last 7 days of {name} it would have done nothing."
        )

    @handler("abuse_policy.list")
    async def made_decoy(self, _key_id: str) -> None:
        """After a decoy's text has been seen: closes its dialog."""
        self.changes += 1


async def _show(state: AbuseState) -> None:
    sanctions = current_core().sanctions
    verdicts = await sanctions.list(signed_in())
    state.live = [verdict_row(each) for each in verdicts if each.is_live]
    state.past = [verdict_row(each) for each in verdicts if not each.is_live]
    words = dict(POLICY_WORDS)
    state.policies = [
        PolicyRow(
            client=each.client or "Everybody else",
            words=words[each.policy.name],
            ceilings=", ".join(written(name, ceiling) for name, ceiling in each.policy.ceilings.items()) or "none",
        )
        for each in await sanctions.policies(signed_in())
    ]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


LIVE_HEADS = ["Client", "What", "Why", "Until", ""]
POLICY_HEADS = ["Client", "How far", "Ceilings"]
page: Any = AbuseState  # in markup its attributes are Vars


@portal_page("/abuse", title="Abuse", icon="shield", place=28, on_load=AbuseState.load)
def abuse() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            _live(),
            _policies(),
            _replay(),
            decoy_card(_clients(), page.changes, page.made_decoy),
            _past(),
            class_name="flex flex-col gap-5",
        ),
        waiting("h-40", "h-72"),
    )


def _live() -> rx.Component:
    return card(
        rx.cond(
            page.live.length() > 0,
            data_table(LIVE_HEADS, rx.foreach(page.live, _live_row), caption="What holds now"),
            empty(
                "All is as usual",
                "A client is watched once it has called for a week: its rate, tokens, cost, models, addresses, failed "
                "authentications and repeated prompts, by hour of the week. Ceilings below hold from the first minute.",
            ),
        ),
        title="What holds now",
    )


def _live_row(row: Any) -> rx.Component:
    return table_row(
        LIVE_HEADS,
        cell(row["client"], class_name="font-medium break-all"),
        cell(state_badge(row["level"], row["kind"])),
        why_cell(row["why"]),
        cell(row["until"], class_name=theme.MUTED),
        cell(
            confirm_button(
                "Undo",
                title=f"Undo this for {row['client']}?",
                text="It ends now, on every node. As much of the same, and half as much again, is taken to be all "
                "right for a week.",
                confirm="Undo",
                on_confirm=page.undo(row["id"]),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["id"],
    )


def _policies() -> rx.Component:
    return card(
        data_table(
            POLICY_HEADS,
            rx.foreach(
                page.policies,
                lambda row: table_row(
                    POLICY_HEADS,
                    cell(row["client"], class_name="font-medium break-all"),
                    cell(row["words"]),
                    cell(row["ceilings"], class_name="wrap-anywhere font-mono text-sm"),
                ),
            ),
            caption="Policies",
        ),
        rx.el.form(
            select_field("Client", "client", [rx.el.option("Everybody else", value=_EVERYBODY), _clients()]),
            select_field(
                "Without a person it may go",
                "policy",
                [rx.el.option(words, value=name) for name, words in POLICY_WORDS],
            ),
            rx.el.div(field("Ceilings", "ceilings", hint=_CEILINGS, auto_complete="off"), class_name="sm:col-span-2"),
            rx.el.button("Set", type="submit", class_name=f"{theme.PRIMARY} justify-self-start"),
            on_submit=page.set_policy,
            class_name=f"mt-5 grid gap-3 border-t pt-4 sm:grid-cols-2 {theme.LINE}",
        ),
        title="How far it may go",
    )


def _replay() -> rx.Component:
    return card(
        rx.el.form(
            select_field("Client", "replay_client", _clients()),
            select_field(
                "Policy", "replay_policy", [rx.el.option(words, value=name) for name, words in reversed(POLICY_WORDS)]
            ),
            rx.el.div(field("Ceilings", "replay_ceilings", auto_complete="off"), class_name="sm:col-span-2"),
            rx.el.button(
                "Try it on the last 7 days", type="submit", class_name=f"{theme.SECONDARY} justify-self-start"
            ),
            on_submit=page.replay,
            class_name="grid gap-3 sm:grid-cols-2",
        ),
        rx.el.p(page.replay_words, class_name="mt-4 text-sm", role="status"),
        rx.cond(
            page.replayed.length() > 0,
            data_table(REPLAY_HEADS, rx.foreach(page.replayed, replay_line), caption="What the policy would have done"),
        ),
        title="Try a policy",
    )


def _past() -> rx.Component:
    return card(
        rx.cond(
            page.past.length() > 0,
            data_table(VERDICT_HEADS, rx.foreach(page.past, verdict_line), caption="Verdicts of the last 30 days"),
            empty("Nothing yet", "Verdicts stay here for 30 days, with what was seen and what was usual."),
        ),
        title="Verdicts of the last 30 days",
    )


def _clients() -> rx.Component:
    return rx.foreach(page.clients, lambda client: rx.el.option(client["label"], value=client["value"]))
