"""`abuse`: what is done about clients whose traffic is not as usual, and how far that may go."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.abuse_features import Evidence
from aiservice.services.abuse_judge import said_of
from aiservice.services.abuse_policies import read_ceilings, written
from aiservice.services.abuse_replay import WouldHave
from aiservice.services.core import Core
from aiservice.services.sanctions import ClientPolicy, Verdict

abuse = group("Unusual traffic: verdicts, undo, policies, replay.")

ClientOption = Annotated[str | None, typer.Option("--client", help="Name or id of a client.")]


@abuse.command("list", action="sanction.list", epilog=examples("abuse list", "abuse list --client shop --live"))
def list_verdicts(
    client: ClientOption = None,
    is_live: Annotated[bool, typer.Option("--live", help="Only what holds now.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the verdicts of the last 30 days, newest first, with their evidence."""
    found = run(lambda core: core.sanctions.list(OPERATOR, client, live_only=is_live), as_json=as_json)
    rows = [_row(verdict) for verdict in found]
    if as_json:
        for row, verdict in zip(rows, found, strict=True):
            row["evidence"] = [each._asdict() for each in verdict.evidence]
    columns = ("client", "level", "why", "since", "until", "undone_by", "id")
    show_table(rows, columns, as_json=as_json, empty="Nothing unusual in the last 30 days.")


@abuse.command("undo", action="sanction.undo", epilog=examples("abuse undo san_01ABCDEFGHJKMNPQRSTVWXYZ01"))
def undo(which: Annotated[str, typer.Argument(metavar="VERDICT")], as_json: JsonFlag = False) -> None:
    """End a sanction now; as much of the same is taken to be all right for a week."""
    verdict = run(lambda core: core.sanctions.undo(OPERATOR, which), as_json=as_json)
    show({"id": verdict.id, "undone": True}, [f"Undone: {verdict.level} of {verdict.client}."], as_json=as_json)


@abuse.command(
    "policy",
    action="abuse_policy.set",
    epilog=examples(
        "abuse policy",
        "abuse policy --default --set throttle",
        "abuse policy --client shop --set automatic --ceiling cost/hour=25:throttle",
    ),
)
def policy(
    client: ClientOption = None,
    is_default: Annotated[bool, typer.Option("--default", help="The default of all clients.")] = False,
    name: Annotated[
        str | None, typer.Option("--set", help="alert_only, throttle, quarantine or automatic; 'default' clears.")
    ] = None,
    ceiling: Annotated[
        list[str] | None,
        typer.Option("--ceiling", help="Such as requests/minute=600:throttle (cost/hour in USD); repeatable."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show policies, or set one: how far the answer to unusual traffic may go without a person."""
    if client is None and not is_default:
        if name is not None or ceiling:
            usage_error("Say whose: --client NAME or --default.")
        rows = [_policy(each) for each in run(lambda core: core.sanctions.policies(OPERATOR), as_json=as_json)]
        show_table(rows, ("client", "policy", "ceilings"), as_json=as_json, empty="")
        return

    async def work(core: Core) -> ClientPolicy:
        wanted = name
        ceilings = read_ceilings(ceiling) if ceiling else None
        if name is None:  # only ceilings: the policy stays
            stored = await core.sanctions.policies(OPERATOR)
            mine = None if client is None else (await core.clients.find(OPERATOR, client)).id
            wanted = next((each.own_policy for each in stored if each.client_id == (mine or "")), None)
        return await core.sanctions.set_policy(OPERATOR, client, None if wanted == "default" else wanted, ceilings)

    row = _policy(run(work, as_json=as_json))
    show(row, [f"{row['client']}: {row['policy']}. {row['ceilings']}".rstrip()], as_json=as_json)


@abuse.command("replay", action="abuse_policy.replay", epilog=examples("abuse replay --client shop --policy automatic"))
def replay(
    client: Annotated[str, typer.Option("--client", help="Name or id of a client.")],
    name: Annotated[str, typer.Option("--policy", help="The policy to try.")] = "automatic",
    ceiling: Annotated[list[str] | None, typer.Option("--ceiling", help="As for 'abuse policy'; repeatable.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=28)] = 7,
    as_json: JsonFlag = False,
) -> None:
    """Tell what a policy would have done on a client's last days; nothing is done."""

    async def work(core: Core) -> list[WouldHave]:
        return await core.replay.run(OPERATOR, client, name, read_ceilings(ceiling or []), days=days)

    found = run(work, as_json=as_json)
    rows = [
        {"at": iso(each.at_us), "until": iso(each.until_us), "level": each.level, "why": _why(each.evidence)}
        for each in found
    ]
    empty = "It would have done nothing."
    show_table(rows, ("at", "level", "until", "why"), as_json=as_json, empty=empty)


def _row(verdict: Verdict) -> dict[str, object]:
    return {
        "id": verdict.id,
        "client": verdict.client,
        "level": verdict.level,
        "policy": verdict.policy,
        "why": _why(verdict.evidence),
        "since": iso(verdict.since_us),
        "until": iso(verdict.until_us),
        "undone_at": iso(verdict.undone_us),
        "undone_by": verdict.undone_by or None,
    }


def _why(evidence: tuple[Evidence, ...]) -> str:
    return "; ".join(said_of(each) for each in sorted(evidence, key=lambda each: -each.bans)[:2])


def _policy(policy: ClientPolicy) -> dict[str, object]:
    ceilings = [written(name, each) for name, each in policy.policy.ceilings.items()]
    return {
        "client": policy.client or "(default)",
        "policy": policy.policy.name,
        "is_own": policy.own_policy is not None,
        "ceilings": ", ".join(ceilings),
    }
