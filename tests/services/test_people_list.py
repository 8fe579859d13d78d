"""The list of people, and of invitations: in pages, and taken back for good."""

from typing import Any

import pytest

from aiservice.errors import InvalidRequest, NotFound, PermissionDenied
from aiservice.principal import OPERATOR, Role
from aiservice.services.accounts import Browser
from aiservice.services.people_list import Asked, PeopleList
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import Client, PortalSession, User
from tests.services.cast import person
from tests.services.people import accounts_of


async def test_the_pages_miss_nobody_and_are_narrowed_on_the_server(database: Database) -> None:
    people = PeopleList(database)
    async with database.write() as session:
        for n in range(23):
            role = "admin" if n % 5 == 0 else "developer"
            session.add(
                User(
                    id=f"usr_{n}",
                    email=f"p{n:02}@example.org",
                    password_hash="",
                    role=role,
                    is_disabled=n == 7,
                    created_us=n,
                )
            )
        await session.flush()
        session.add(Client(id="cli_1", name="one", owner_id="usr_3", created_us=1))
        times: dict[str, Any] = {"created_us": 1, "last_seen_us": 9, "expires_us": 2}
        session.add(PortalSession(id_hash="h", user_id="usr_3", **times))
    seen, after = [], ""
    while True:
        page = await people.page(OPERATOR, Asked(), after=after, limit=10)
        assert page.total == 23
        seen += [line.email for line in page.lines]
        after = page.following
        if not after:
            break
    assert seen == [f"p{n:02}@example.org" for n in range(23)]
    (third,) = (await people.page(OPERATOR, Asked("P03"))).lines
    assert (third.clients, third.sessions, third.last_seen_us) == (1, 1, 9)
    assert (await people.page(OPERATOR, Asked(role="admin"))).total == 5
    assert [line.email for line in (await people.page(OPERATOR, Asked(state="disabled"))).lines] == ["p07@example.org"]


async def test_an_open_invitation_is_listed_until_it_is_taken_back_and_is_worthless_then(
    database: Database, settings: Settings
) -> None:
    people, accounts = PeopleList(database), accounts_of(database, settings)
    path = await accounts.invite(OPERATOR, "new@example.org", Role.ADMIN)
    (invitation,) = await people.invitations(OPERATOR)
    assert (invitation.email, invitation.role) == ("new@example.org", Role.ADMIN)
    assert path.rpartition("=")[2] not in repr(invitation)
    await people.revoke_invitation(OPERATOR, "New@example.org")
    assert await people.invitations(OPERATOR) == []
    with pytest.raises(NotFound):
        await people.revoke_invitation(OPERATOR, "new@example.org")
    with pytest.raises(InvalidRequest):
        await accounts.accept_invite(path.rpartition("=")[2], "a long enough password", Browser("127.0.0.1"))


async def test_only_admins_see_people_and_invitations(database: Database, settings: Settings) -> None:
    people, ada = PeopleList(database), await person(database, "ada@example.org")
    accounts = accounts_of(database, settings)
    for refused in (
        accounts.end_sessions(ada, "ada@example.org"),
        people.page(ada, Asked()),
        people.invitations(ada),
        people.revoke_invitation(ada, "new@example.org"),
    ):
        with pytest.raises(PermissionDenied):
            await refused
