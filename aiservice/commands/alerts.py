"""`alert`: what is open, who sees to it, what is watched, and who is told."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from aiservice.commands.alert_channels import SeverityOption, WhichChannel, channel, seconds_of, severity_of
from aiservice.commands.console import (
    JsonFlag,
    examples,
    fail,
    group,
    names_of,
    show,
    show_table,
    usage_error,
)
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.kit.durations import format_duration
from aiservice.principal import OPERATOR
from aiservice.services.alert_metrics import EVENTS, METRICS, SCOPES
from aiservice.services.alert_rules import RuleTerms, RuleView
from aiservice.services.alert_sending import Outcome
from aiservice.services.alert_terms import NoData
from aiservice.services.alerts import STATES, AlertView, DeliveryView
from aiservice.services.core import Core

alert = group("Alerts: list, acknowledge, resolve, mute, test a channel, and the log of messages.")
rule = group("Alert rules: list, set, enable, disable, remove.")
alert.add_typer(rule, name="rule")
alert.add_typer(channel, name="channel")

Which = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id.")]
WhichRule = Annotated[str, typer.Argument(metavar="RULE", help="Name or id.")]


@alert.command("list", action="alert.list", epilog=examples("alert list", "alert list --state resolved"))
def list_alerts(
    state: Annotated[str, typer.Option("--state", help="open, acknowledged, resolved or all.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List alerts: those that are not resolved, or those of one state."""
    if state not in ("", "all", *STATES):
        usage_error("--state is open, acknowledged, resolved or all.")
    wanted = [""] if state == "all" else [state] if state else ["open", "acknowledged"]

    async def work(core: Core) -> list[AlertView]:
        return [view for each in wanted for view in await core.alerts.list(OPERATOR, each, limit=limit)]

    rows = [_alert(view) for view in run(work, as_json=as_json)]
    columns = ("id", "severity", "state", "kind", "subject", "words", "count", "last_at")
    show_table(rows, columns, as_json=as_json, empty="There are no alerts.")


@alert.command("ack", action="alert.acknowledge", epilog=examples("alert ack alt_01…"))
def acknowledge(which: Which, as_json: JsonFlag = False) -> None:
    """Say that somebody sees to it."""
    run(lambda core: core.alerts.acknowledge(OPERATOR, which), as_json=as_json)
    show({"id": which, "acknowledged": True}, ["Acknowledged."], as_json=as_json)


@alert.command("resolve", action="alert.resolve", epilog=examples("alert resolve alt_01…"))
def resolve(which: Which, as_json: JsonFlag = False) -> None:
    """Say that it is over."""
    run(lambda core: core.alerts.resolve(OPERATOR, which), as_json=as_json)
    show({"id": which, "resolved": True}, ["Resolved."], as_json=as_json)


@alert.command(
    "mute", action="alert.mute", epilog=examples("alert mute alt_01… --for 4h", "alert mute kind:budget --for 1d")
)
def mute(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="An alert's id, a rule's name, or kind:<kind>.")],
    lasting: Annotated[str, typer.Option("--for", help="Such as 4h; 0 ends a mute.")] = "4h",
    as_json: JsonFlag = False,
) -> None:
    """Tell nobody for a time."""
    seconds = seconds_of(lasting, "--for")
    stored = run(lambda core: core.alerts.mute(OPERATOR, target, seconds), as_json=as_json)
    done = f"Muted for {format_duration(seconds)}." if seconds else "Not muted any more."
    show({"target": stored, "seconds": seconds}, [done], as_json=as_json)


@alert.command("test", action="alert_channel.test", epilog=examples("alert test ops"))
def test(which: WhichChannel, as_json: JsonFlag = False) -> None:
    """Send a test message to a channel now; status 1 where it was not taken."""

    async def work(core: Core) -> Outcome:
        return await core.alerts.test(OPERATOR, which)

    outcome = run(work, as_json=as_json)
    if not outcome.is_delivered:
        fail(outcome.words, code="not_delivered", as_json=as_json)
    answer = {"delivered": True, "status": outcome.status, "ms": outcome.ms}
    show(answer, [f"{outcome.words} ({outcome.ms} ms)"], as_json=as_json)


@alert.command("log", action="alert.deliveries", epilog=examples("alert log"))
def log(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List messages to channels, newest first: how often they were tried, how it went, when they are tried again."""
    rows = [
        _delivery(view) for view in run(lambda core: core.alerts.deliveries(OPERATOR, limit=limit), as_json=as_json)
    ]
    columns = ("created_at", "channel", "event", "state", "tries", "last", "next_at")
    show_table(rows, columns, as_json=as_json, empty="Nothing was sent yet.")


@rule.command("list", action="alert_rule.list", epilog=examples("alert rule list"))
def list_rules(as_json: JsonFlag = False) -> None:
    """List what is watched."""
    rows = [_rule(view) for view in run(lambda core: core.alerts.rules.list(OPERATOR), as_json=as_json)]
    columns = ("name", "metric", "scope", "subject", "condition", "severity", "channels", "state")
    show_table(rows, columns, as_json=as_json, empty="Nothing is watched.")


@rule.command(
    "set",
    action="alert_rule.set",
    epilog=examples(
        "alert rule set 'shop is slow' --metric latency_p95 --above 4000 --scope client --subject shop --window 10m",
        "alert rule set 'shop is silent' --metric requests --below 1 --scope client --subject shop --window 1h",
        "alert rule set 'A key expires soon' --metric key_expiry --below 14 --scope key",
    ),
)
def set_rule(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A new rule's name, or that of the one to change.")],
    metric: Annotated[str, typer.Option("--metric", help=f"{', '.join(METRICS)}; or an event: {', '.join(EVENTS)}.")],
    above: Annotated[float | None, typer.Option("--above", help="Alarm above this (%, ms, USD, a count).")] = None,
    below: Annotated[float | None, typer.Option("--below", help="Alarm below this.")] = None,
    scope: Annotated[str, typer.Option("--scope", help=f"What it is of: {', '.join(SCOPES)}.")] = "all",
    subject: Annotated[str, typer.Option("--subject", help="Only this one; by default each by itself.")] = "",
    window: Annotated[str, typer.Option("--window", help="Over how long it is measured.")] = "5m",
    lasting: Annotated[str, typer.Option("--for", help="How long it must last before it alarms.")] = "0",
    no_data: Annotated[str, typer.Option("--no-data", help=f"Without data: {', '.join(NoData)}.")] = "ok",
    severity: SeverityOption = "warning",
    channels: Annotated[str | None, typer.Option("--channels", help="Only these: a,b. By default all.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Watch something, or change what is watched under this name."""
    if above is not None and below is not None:
        usage_error("Give --above or --below, not both.")
    named = names_of(channels)
    terms = RuleTerms(
        metric=metric,
        threshold=above if above is not None else below,
        is_below=below is not None,
        scope=scope,
        subject=subject,
        window_seconds=seconds_of(window, "--window"),
        for_seconds=seconds_of(lasting, "--for"),
        no_data=no_data,
        severity=severity_of(severity),
        channels=None if named is None else tuple(named),
    )
    view = run(lambda core: core.alerts.rules.set(OPERATOR, name, terms), as_json=as_json)
    show(_rule(view), [f"'{view.name}' is watched: {_condition(view)}."], as_json=as_json)


@rule.command("remove", action="alert_rule.remove", epilog=examples("alert rule remove 'shop is slow'"))
def remove_rule(which: WhichRule, as_json: JsonFlag = False) -> None:
    """Watch it no longer."""
    run(lambda core: core.alerts.rules.remove(OPERATOR, which), as_json=as_json)
    show({"rule": which, "removed": True}, ["Removed."], as_json=as_json)


@rule.command("disable", action="alert_rule.switch", epilog=examples("alert rule disable 'A key expires soon'"))
def disable_rule(which: WhichRule, as_json: JsonFlag = False) -> None:
    """Switch a rule off."""
    view = run(lambda core: core.alerts.rules.switch(OPERATOR, which, is_on=False), as_json=as_json)
    show(_rule(view), ["Switched off."], as_json=as_json)


@rule.command("enable", action="alert_rule.switch", epilog=examples("alert rule enable 'A key expires soon'"))
def enable_rule(which: WhichRule, as_json: JsonFlag = False) -> None:
    """Switch a rule on."""
    view = run(lambda core: core.alerts.rules.switch(OPERATOR, which, is_on=True), as_json=as_json)
    show(_rule(view), ["Switched on."], as_json=as_json)


def _alert(view: AlertView) -> dict[str, Any]:
    row = asdict(view)
    for name in ("first", "last", "acknowledged", "resolved", "muted_until"):
        row[f"{name}_at"] = iso(row.pop(f"{name}_us"))
    return {**row, "severity": view.severity.name.lower()}


def _rule(view: RuleView) -> dict[str, Any]:
    state = "off" if view.is_disabled else "on"
    row = {**asdict(view), "severity": view.severity.name.lower(), "state": state, "condition": _condition(view)}
    return {**row, "channels": "all" if view.channels is None else list(view.channels)}


def _condition(view: RuleView) -> str:
    if not view.is_measured:
        return "when it happens"
    than = "below" if view.is_below else "above"
    unit = METRICS[view.metric].unit
    lasting = f" for {format_duration(view.for_seconds)}" if view.for_seconds else ""
    return f"{than} {view.threshold:g}{' ' if unit else ''}{unit} in {format_duration(view.window_seconds)}{lasting}"


def _delivery(view: DeliveryView) -> dict[str, Any]:
    last = view.attempts[-1]["words"] if view.attempts else None
    return {
        "id": view.id,
        "created_at": iso(view.created_us),
        "channel": view.channel,
        "event": view.event,
        "words": view.words,
        "state": view.state,
        "tries": len(view.attempts),
        "last": last,
        "next_at": iso(view.next_us),
        "attempts": [{**attempt, "at": iso(attempt["at_us"])} for attempt in view.attempts],
    }
