"""`alert channel`: the ways to tell people. A webhook's secret is printed once, when it is made."""

from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, group, read_secret, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.kit.durations import parse_duration
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.alert_channels import ChannelView
from aiservice.services.alert_notes import Severity
from aiservice.services.core import Core

channel = group("Alert channels: list, add, roll a secret, enable, disable, remove.")

WhichChannel = Annotated[str, typer.Argument(metavar="CHANNEL", help="Name or id.")]
SeverityOption = Annotated[str, typer.Option("--severity", help="info, warning or critical.")]
SecretFlag = Annotated[
    bool, typer.Option("--secret", help="Read the secret (whsec_…) from standard input, instead of making one.")
]


@channel.command("list", action="alert_channel.list", epilog=examples("alert channel list"))
def list_channels(as_json: JsonFlag = False) -> None:
    """List the ways to tell people; the portal is always one."""
    rows = [_channel(view) for view in run(lambda core: core.alerts.channels.list(OPERATOR), as_json=as_json)]
    show_table(rows, ("name", "kind", "address", "severity", "state"), as_json=as_json, empty="There are no channels.")


@channel.command(
    "add",
    action="alert_channel.add",
    epilog=examples(
        "alert channel add ops --email ops@example.org --email owner",
        "alert channel add pager --webhook https://hooks.example.org/aiservice --severity critical",
    ),
)
def add_channel(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    email: Annotated[
        list[str] | None,
        typer.Option("--email", help="An address, 'admins', or 'owner' (of the client concerned); repeatable."),
    ] = None,
    webhook: Annotated[str | None, typer.Option("--webhook", help="A URL that takes Standard Webhooks.")] = None,
    severity: SeverityOption = "warning",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Its address may be private or on this machine, and plain http.")
    ] = False,
    is_secret_given: SecretFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Add e-mail or a webhook. A webhook's secret is printed once, unless it was given."""
    if bool(email) == bool(webhook):
        usage_error("Give --email or --webhook.")
    least = severity_of(severity)
    secret = read_secret("The webhook's secret") if is_secret_given and webhook else None

    async def work(core: Core) -> tuple[ChannelView, Secret | None]:
        if webhook is None:
            return await core.alerts.channels.add_email(OPERATOR, name, email or [], least), None
        return await core.alerts.channels.add_webhook(
            OPERATOR, name, webhook, secret, is_private_allowed=allow_private, min_severity=least
        )

    view, made = run(work, as_json=as_json)
    _show_secret(view, made if secret is None else None, as_json=as_json)


@channel.command(
    "roll-secret", action="alert_channel.roll_secret", epilog=examples("alert channel roll-secret pager --overlap 24h")
)
def roll_secret(
    which: WhichChannel,
    overlap: Annotated[str, typer.Option("--overlap", help="How long both secrets sign; at most 7d.")] = "24h",
    is_secret_given: SecretFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Give a webhook a new secret; until the overlap ends messages carry a signature of each."""
    seconds = seconds_of(overlap, "--overlap")
    secret = read_secret("The webhook's new secret") if is_secret_given else None
    view, made = run(lambda core: core.alerts.channels.roll_secret(OPERATOR, which, secret, seconds), as_json=as_json)
    _show_secret(view, made if secret is None else None, as_json=as_json)


@channel.command("remove", action="alert_channel.remove", epilog=examples("alert channel remove pager"))
def remove_channel(which: WhichChannel, as_json: JsonFlag = False) -> None:
    """Remove a channel and its secret."""
    run(lambda core: core.alerts.channels.remove(OPERATOR, which), as_json=as_json)
    show({"channel": which, "removed": True}, ["Removed."], as_json=as_json)


@channel.command("enable", action="alert_channel.switch", epilog=examples("alert channel enable pager"))
def enable_channel(which: WhichChannel, as_json: JsonFlag = False) -> None:
    """Take a channel into use again."""
    view = run(lambda core: core.alerts.channels.enable(OPERATOR, which), as_json=as_json)
    show(_channel(view), ["In use."], as_json=as_json)


@channel.command("disable", action="alert_channel.switch", epilog=examples("alert channel disable pager"))
def disable_channel(which: WhichChannel, as_json: JsonFlag = False) -> None:
    """Take a channel out of use; what waits for it is given up."""
    view = run(lambda core: core.alerts.channels.disable(OPERATOR, which), as_json=as_json)
    show(_channel(view), ["Not in use."], as_json=as_json)


def _show_secret(view: ChannelView, secret: Secret | None, *, as_json: bool) -> None:
    answer = {**_channel(view), **({"secret": secret.reveal_text()} if secret is not None else {})}
    lines = [f"'{view.name}' is ready. Try it: alert test {view.name}"]
    if secret is not None:
        lines = [secret.reveal_text(), f"This is the secret of '{view.name}'. It is shown this once.", *lines]
    show(answer, lines, as_json=as_json)


def _channel(view: ChannelView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "kind": view.kind,
        "address": view.address,
        "severity": view.min_severity.name.lower(),
        "state": view.disabled_why if view.is_disabled else "in use",
        "delivered_at": iso(view.delivered_us),
    }


def seconds_of(text: str, option: str) -> int:
    """A duration that an option gives; ends the command where it is none."""
    try:
        return parse_duration(text)
    except ValueError as error:
        usage_error(f"{option}: {error}")


def severity_of(text: str) -> Severity:
    """A severity by its name; ends the command where it is none."""
    try:
        return Severity[text.upper()]
    except KeyError:
        usage_error("--severity is info, warning or critical.")
