"""`audit`: who changed what, and whether the log of it is whole."""

from typing import Annotated, Any

import typer

from aiservice.commands.console import REFUSED, JsonFlag, examples, group, show, show_table
from aiservice.commands.opening import run
from aiservice.commands.upkeep import moment
from aiservice.kit.clock import SECOND_US, iso, now_us
from aiservice.principal import OPERATOR
from aiservice.services.audit import MAX_ROWS, AuditFilter, Verdict
from aiservice.services.audit_entry import Entry
from aiservice.services.core import Core

audit = group("Who changed what, and whether the log of it is whole.")


@audit.command(
    "list",
    action="audit.list",
    epilog=examples("audit list", "audit list --action key. --since 7d", "audit list --subject key_01…"),
)
def list_entries(
    actor: Annotated[str, typer.Option("--actor", help="Who did it: an e-mail address or an id.")] = "",
    action: Annotated[str, typer.Option("--action", help="Such as key.revoke; key. is all of keys.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="The id of what it was done to.")] = "",
    since: Annotated[str | None, typer.Option("--since", help="A date, a time, or how long ago (7d).")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_ROWS)] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Show entries, newest first (times are UTC)."""
    asked = AuditFilter(actor, action, subject, moment(since, "--since", 0), now_us() + SECOND_US)

    async def work(core: Core) -> list[Entry]:
        return (await core.audit.page(OPERATOR, asked, limit))[0]

    rows = [_row(entry) for entry in run(work, as_json=as_json)]
    columns = ("number", "at", "actor", "address", "action", "subject", "after")
    show_table(rows, columns, as_json=as_json, empty="Nothing like that was changed.")


@audit.command(
    "verify",
    action="audit.verify",
    epilog=examples("audit verify", "audit verify --anchor 214:9f86d081884c7d659a2feaa0c55ad015"),
)
def verify(
    anchor: Annotated[
        str, typer.Option("--anchor", help="What the log or an earlier run named: that entry must still be there.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Look at every entry; exit status 1 when one is missing or not as it was written."""

    async def work(core: Core) -> Verdict:
        return await core.audit.verify(anchor)

    found = run(work, as_json=as_json)
    answer = {
        "ok": not found.damage,
        "entries": found.entries,
        "anchor": found.anchor,
        "deleted_up_to": found.deleted,
        "damage": [{"number": each.number, "what": each.what} for each in found.damage],
    }
    words = "Every entry is as it was written." if not found.damage else "THE AUDIT LOG WAS TAMPERED WITH."
    gone = [f"Entries up to {found.deleted} were deleted for their age."] if found.deleted else []
    lines = [f"{found.entries} entries. {words}", *gone, *map(str, found.damage)]
    show(answer, [*lines, f"Anchor, to keep elsewhere: {found.anchor}"], as_json=as_json)
    if found.damage:
        raise typer.Exit(REFUSED)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": iso(entry.at_us),
        "actor": entry.actor,
        "actor_id": entry.actor_id,
        "address": entry.address or None,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
    }
