"""`admin` and `user`: accounts of people."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, one_of, read_secret, show, show_table
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.core import Core

admin = group("Platform admins.")
user = group("People with an account: developers, and admins too.")

Email = Annotated[str, typer.Option("--email", help="Their e-mail address.")]
Who = Annotated[str | None, typer.Argument(metavar="USER", help="E-mail address or id.")]
WhoOption = Annotated[str | None, typer.Option("--email", help="The same, as an option.")]


@admin.command("create", action="person.create", epilog=examples("admin create --email ada@example.org < password.txt"))
def admin_create(email: Email, as_json: JsonFlag = False) -> None:
    """Create a platform admin. The password is read from standard input."""
    _create(email, Role.ADMIN, as_json=as_json)


@user.command("create", action="person.create", epilog=examples("user create --email bob@example.org < password.txt"))
def user_create(email: Email, as_json: JsonFlag = False) -> None:
    """Create a developer. The password is read from standard input."""
    _create(email, Role.DEVELOPER, as_json=as_json)


def _create(email: str, role: Role, *, as_json: bool) -> None:
    password = read_secret("Password", is_new=True)

    async def work(core: Core) -> Person:
        return await core.accounts.create_user(OPERATOR, email, password.reveal_text(), role)

    made = run(work, as_json=as_json)
    answer = {"id": made.user_id, "email": made.email, "role": made.role.value}
    show(answer, [f"Created the {made.role.value} {made.email}."], as_json=as_json)


@user.command("list", action="person.list", epilog=examples("user list", "user list --json"))
def user_list(as_json: JsonFlag = False) -> None:
    """List all accounts, oldest first."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [
            {
                "id": person.user_id,
                "email": person.email,
                "role": person.role.value,
                "disabled": person.is_disabled,
                "second_factor": person.has_second_factor,
                "created_at": iso(person.created_us),
                "last_seen_at": iso(person.last_seen_us),
            }
            for person in await core.accounts.list_users(OPERATOR)
        ]

    columns = ("email", "role", "disabled", "second_factor", "created_at", "last_seen_at", "id")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no accounts yet.")


@user.command(
    "disable",
    action="person.disable",
    short_help="Keep a person out, at once.",
    epilog=examples("user disable bob@example.org"),
)
def user_disable(who: Who = None, email: WhoOption = None, as_json: JsonFlag = False) -> None:
    """Keep a person out of the portal, at once; their clients' keys are refused too."""
    ref = one_of(who, email, "user")
    run(lambda core: core.accounts.disable_user(OPERATOR, ref), as_json=as_json)
    show({"user": ref, "disabled": True}, [f"Disabled {ref}."], as_json=as_json)


@user.command("enable", action="person.enable", epilog=examples("user enable bob@example.org"))
def user_enable(who: Who = None, email: WhoOption = None, as_json: JsonFlag = False) -> None:
    """Let a disabled person in again."""
    ref = one_of(who, email, "user")
    run(lambda core: core.accounts.enable_user(OPERATOR, ref), as_json=as_json)
    show({"user": ref, "disabled": False}, [f"Enabled {ref}."], as_json=as_json)


@user.command(
    "reset-password",
    action="person.reset_password",
    short_help="Set a new password, from standard input.",
    epilog=examples("user reset-password bob@example.org < password.txt"),
)
def user_reset_password(who: Who = None, email: WhoOption = None, as_json: JsonFlag = False) -> None:
    """Set a person's password (read from standard input) and end their sessions."""
    ref = one_of(who, email, "user")
    password = read_secret("New password", is_new=True)
    run(lambda core: core.accounts.reset_password(OPERATOR, ref, password.reveal_text()), as_json=as_json)
    show({"user": ref, "reset": True}, [f"Set a new password for {ref} and ended their sessions."], as_json=as_json)


@user.command(
    "reset-factors",
    action="factor.reset",
    short_help="Take a person's second factors away.",
    epilog=examples("user reset-factors bob@example.org"),
)
def user_reset_factors(who: Who = None, email: WhoOption = None, as_json: JsonFlag = False) -> None:
    """Take a person's authenticator app, passkeys and recovery codes away, and end their sessions: they sign in with
    the password alone, or are led to set up a new factor where one is asked for."""
    ref = one_of(who, email, "user")
    run(lambda core: core.accounts.factors.reset(OPERATOR, ref), as_json=as_json)
    show(
        {"user": ref, "reset": True},
        [f"Took every second factor of {ref} away and ended their sessions."],
        as_json=as_json,
    )


@user.command(
    "second-factor",
    action="sign_in.rule",
    short_help="Of whom a second factor is asked.",
    epilog=examples("user second-factor", "user second-factor admins"),
)
def user_second_factor(
    rule: Annotated[str | None, typer.Argument(help="nobody, admins or everybody; without it, what holds now.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for a second factor of nobody, of admins or of everybody, from their next sign-in on. Who has one is asked
    for it in any case. Without an argument: what holds now, and who has none."""

    async def work(core: Core) -> tuple[str, list[str]]:
        factors = core.accounts.factors
        if rule is not None:
            await factors.set_rule(OPERATOR, rule)
        return await factors.rule(OPERATOR), await factors.without_factor(OPERATOR)

    asked_of, without = run(work, as_json=as_json)
    lines = [f"A second factor is asked of {asked_of}.", f"Without one: {', '.join(without) or 'nobody'}."]
    show({"second_factor": asked_of, "without": without}, lines, as_json=as_json)
