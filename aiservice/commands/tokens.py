"""`token`: access tokens by which programs act for people in the management API."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.kit.durations import parse_duration
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.personal_tokens import DEFAULT_DAYS, NewToken

token = group("Access tokens of people, for the management API.")

_DAY_SECONDS = 86_400


@token.command(
    "create",
    action="access_token.create",
    short_help="Make a token of a person; it is printed once.",
    epilog=examples(
        "token create --email ada@example.org --name deploy --write --expires-in 30d",
        "token create --email bob@example.org --name dashboard",
    ),
)
def create(
    email: Annotated[str, typer.Option("--email", help="Whose: it may do what they may.")],
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    write: Annotated[bool, typer.Option("--write", help="It may change things; without, it reads.")] = False,
    expires_in: Annotated[str, typer.Option("--expires-in", help="1d to 365d.")] = f"{DEFAULT_DAYS}d",
    as_json: JsonFlag = False,
) -> None:
    """Make an access token of a person, good for 90 days unless it is said otherwise. It is printed once."""
    try:
        days, rest = divmod(parse_duration(expires_in), _DAY_SECONDS)
    except ValueError as error:
        usage_error(f"--expires-in: {error}")
    if rest:
        usage_error("--expires-in: whole days, such as 30d.")

    async def work(core: Core) -> NewToken:
        return await core.personal_tokens.create(OPERATOR, name, may_write=write, days=days, owner=email)

    made = run(work, as_json=as_json)
    answer = {
        "id": made.id,
        "owner": email,
        "name": made.name,
        "token": made.token.reveal_text(),
        "scopes": ["read", "write"] if made.may_write else ["read"],
        "expires_at": iso(made.expires_us),
    }
    lines = [made.token.reveal_text(), "This is the only time it is shown."]
    show(answer, lines, as_json=as_json)


@token.command("list", action="access_token.list", epilog=examples("token list", "token list --json"))
def list_all(as_json: JsonFlag = False) -> None:
    """List everybody's access tokens, newest first."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [
            {
                "id": one.id,
                "owner": one.owner,
                "name": one.name,
                "state": one.state,
                "scopes": ["read", "write"] if one.may_write else ["read"],
                "created_at": iso(one.created_us),
                "expires_at": iso(one.expires_us),
                "last_used_at": iso(one.last_used_us),
                "last_address": one.last_address or None,
            }
            for one in await core.personal_tokens.list(OPERATOR, of_everybody=True)
        ]

    columns = ("owner", "name", "state", "scopes", "expires_at", "last_used_at", "id")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no access tokens.")


@token.command("revoke", action="access_token.revoke", epilog=examples("token revoke pat_01a2…"))
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="An id that `token list` shows.")],
    as_json: JsonFlag = False,
) -> None:
    """End an access token for good."""
    run(lambda core: core.personal_tokens.revoke(OPERATOR, token_id), as_json=as_json)
    show({"id": token_id, "revoked": True}, [f"Revoked {token_id}."], as_json=as_json)
