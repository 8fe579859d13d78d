"""How accounts come to be, sign in and change their passwords."""

import asyncio
import dataclasses
import hashlib
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import SQLModel, col, select, update

from aiservice.errors import (
    BrokerError,
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unprocessable,
)
from aiservice.kit.secret import Secret
from aiservice.principal import Person, Role
from aiservice.services.accounts import Accounts, Browser, SignedIn
from aiservice.services.changes import ChangeFeed
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import Change, OneTimeLink, PortalSession, User
from tests.services.people import BROWSER, ROOT, OpenVault, accounts_of

Row = TypeVar("Row", bound=SQLModel)

PASSWORD = "correct horse battery"
ANOTHER = "staple horse correct"


@pytest.fixture
def accounts(database: Database, settings: Settings, quick_passwords: None) -> Accounts:
    return accounts_of(database, settings)


def token_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["token"][0]


async def rows_of(database: Database, table: type[Row]) -> list[Row]:
    async with database.read() as session:
        return list((await session.execute(select(table))).scalars())


async def test_the_right_password_opens_a_session_and_the_database_holds_only_its_hash(
    database: Database, settings: Settings
) -> None:
    accounts = accounts_of(database, settings)
    person = await accounts.create_user(ROOT, " Ada@Example.org ", PASSWORD, Role.DEVELOPER)
    signed_in = await accounts.sign_in("ada@EXAMPLE.org", PASSWORD, BROWSER)
    assert signed_in.person == dataclasses.replace(person, session_hash=signed_in.person.session_hash)
    assert await accounts.resolve(signed_in.cookie) == signed_in.person
    (row,) = await rows_of(database, PortalSession)
    assert row.id_hash == hashlib.sha256(signed_in.cookie.encode()).hexdigest() == signed_in.person.session_hash
    assert len(signed_in.cookie) == 43
    assert signed_in.cookie not in repr(signed_in)
    (user,) = await rows_of(database, User)
    assert user.password_hash.startswith("$argon2id$")
    assert user.email == "ada@example.org"


async def test_a_taken_address_is_refused(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    with pytest.raises(Conflict):
        await accounts.create_user(ROOT, "ADA@example.org", ANOTHER, Role.ADMIN)


@pytest.mark.parametrize(
    "email", ["", "ada", "@example.org", "ada@", "a da@example.org", "ada@exa_mple.org", "a" * 250 + "@b.org",
              "ada@example.org\nbcc: eve@example.org", "ad\u212a@example.org", "ada@-x.org", "<ada@example.org>"]
)  # fmt: skip
async def test_what_is_no_address_is_refused(accounts: Accounts, email: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        await accounts.create_user(ROOT, email, PASSWORD, Role.DEVELOPER)
    assert refused.value.code == "email_invalid"
    with pytest.raises(Unprocessable):
        await accounts.sign_in(email, PASSWORD, BROWSER)


async def test_t55_each_sign_in_has_a_new_session_id_and_nothing_set_before_it_counts(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    planted = "A" * 43
    assert await accounts.resolve(planted) is None
    first = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    second = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    assert len({planted, first.cookie, second.cookie}) == 3
    assert await accounts.resolve(planted) is None
    assert await accounts.resolve(first.person.session_hash) is None, "what the database holds opens nothing"


async def test_signing_out_ends_this_session_only(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    first = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    second = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    await accounts.sign_out(first.cookie)
    await accounts.sign_out(first.cookie)
    await accounts.sign_out(None)
    assert await accounts.resolve(first.cookie) is None
    assert await accounts.resolve(second.cookie) is not None


async def test_t67_changing_the_password_ends_every_session_and_gives_this_browser_a_new_one(
    accounts: Accounts, database: Database
) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    here = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    there = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    with pytest.raises(Unauthenticated):
        await accounts.change_password(here.person, ANOTHER, ANOTHER, BROWSER)
    assert await accounts.resolve(there.cookie) is not None
    renewed = await accounts.change_password(here.person, PASSWORD, ANOTHER, BROWSER)
    assert await accounts.resolve(here.cookie) is None
    assert await accounts.resolve(there.cookie) is None
    assert await accounts.resolve(renewed.cookie) == renewed.person
    with pytest.raises(Unauthenticated):
        await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    await accounts.sign_in("ada@example.org", ANOTHER, BROWSER)
    ended = {change.subject for change in await rows_of(database, Change) if change.kind == "session"}
    assert {here.person.session_hash, there.person.session_hash} <= ended


@pytest.mark.parametrize("change", ["role", "disable", "reset"])
async def test_t67_an_admins_change_ends_the_persons_sessions(accounts: Accounts, change: str) -> None:
    person = await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    signed_in = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    if change == "role":
        await accounts.set_role(ROOT, person.user_id, Role.ADMIN)
    elif change == "disable":
        await accounts.disable_user(ROOT, "ada@example.org")
    else:
        await accounts.reset_password(ROOT, "ada@example.org", ANOTHER)
    assert await accounts.resolve(signed_in.cookie) is None


async def test_a_disabled_person_stays_out_until_enabled_and_hears_the_common_words(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    await accounts.disable_user(ROOT, "ada@example.org")
    with pytest.raises(Unauthenticated) as refused:
        await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    with pytest.raises(Unauthenticated) as unknown:
        await accounts.sign_in("nobody@example.org", PASSWORD, BROWSER)
    assert refused.value.body("r") == unknown.value.body("r")
    await accounts.enable_user(ROOT, "ada@example.org")
    await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)


async def test_the_last_admin_can_neither_be_disabled_nor_demoted(accounts: Accounts) -> None:
    ada = await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    bob = await accounts.create_user(ROOT, "bob@example.org", PASSWORD, Role.ADMIN)
    await accounts.disable_user(ada, bob.user_id)
    for attempt in (
        accounts.disable_user(ada, ada.user_id),
        accounts.set_role(ada, ada.user_id, Role.DEVELOPER),
    ):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.code == "last_admin"


async def test_developers_administer_nobody_and_see_only_their_own_sessions(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "bob@example.org", PASSWORD, Role.DEVELOPER)
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    ada = (await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)).person
    bob = (await accounts.sign_in("bob@example.org", PASSWORD, BROWSER)).person
    for attempt in (
        accounts.create_user(ada, "eve@example.org", PASSWORD, Role.ADMIN),
        accounts.list_users(ada),
        accounts.invite(ada, "eve@example.org", Role.DEVELOPER),
        accounts.reset_link(ada, bob.user_id),
        accounts.reset_password(ada, bob.user_id, ANOTHER),
        accounts.disable_user(ada, bob.user_id),
        accounts.enable_user(ada, bob.user_id),
        accounts.set_role(ada, ada.user_id, Role.ADMIN),
    ):
        with pytest.raises(PermissionDenied):
            await attempt
    with pytest.raises(NotFound):
        await accounts.sessions_of(ada, bob.user_id)
    with pytest.raises(NotFound):
        await accounts.revoke_session(ada, bob.session_hash)
    assert [s.session_hash for s in await accounts.sessions_of(ada)] == [ada.session_hash]
    assert [s.session_hash for s in await accounts.sessions_of(ROOT, bob.user_id)] == [bob.session_hash]
    await accounts.revoke_session(ROOT, bob.session_hash)
    assert await accounts.sessions_of(bob) == []


async def test_admins_list_people_with_the_last_time_they_were_seen(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    await accounts.create_user(ROOT, "bob@example.org", PASSWORD, Role.DEVELOPER)
    await accounts.sign_in("bob@example.org", PASSWORD, BROWSER)
    ada, bob = await accounts.list_users(ROOT)
    assert (ada.email, ada.role, ada.last_seen_us) == ("ada@example.org", Role.ADMIN, None)
    assert bob.role is Role.DEVELOPER
    assert bob.last_seen_us is not None


async def test_the_environments_admin_is_made_once_and_never_changed(database: Database, settings: Settings) -> None:
    named = dataclasses.replace(settings, admin_email="Root@example.org", admin_password=Secret(PASSWORD))
    await accounts_of(database, named).start()
    changed = dataclasses.replace(named, admin_password=Secret(ANOTHER))
    accounts = accounts_of(database, changed)
    await asyncio.gather(accounts.start(), accounts.start())
    assert (await accounts.sign_in("root@example.org", PASSWORD, BROWSER)).person.is_admin
    assert await accounts.setup_link_if_needed() is None
    assert len(await rows_of(database, User)) == 1


async def test_two_workers_starting_at_once_make_one_admin(database: Database, settings: Settings) -> None:
    named = dataclasses.replace(settings, admin_email="root@example.org", admin_password=Secret(PASSWORD))
    await asyncio.gather(*(accounts_of(database, named).start() for _ in range(3)))
    assert len(await rows_of(database, User)) == 1


async def test_without_any_setting_there_is_no_account_and_no_default_password(
    accounts: Accounts, database: Database
) -> None:
    await accounts.start()
    assert await rows_of(database, User) == []


async def test_t88_the_setup_link_makes_one_admin_and_a_restart_voids_it(
    accounts: Accounts, database: Database
) -> None:
    old = await accounts.setup_link_if_needed()
    new = await accounts.setup_link_if_needed()
    assert old and new and urlsplit(new).path == "/setup"
    with pytest.raises(InvalidRequest):
        await accounts.set_up(token_of(old), "eve@example.org", PASSWORD, BROWSER)
    signed_in = await accounts.set_up(token_of(new), "ada@example.org", PASSWORD, BROWSER)
    assert signed_in.person.is_admin
    assert await accounts.resolve(signed_in.cookie) == signed_in.person
    assert await accounts.setup_link_if_needed() is None
    with pytest.raises(InvalidRequest):
        await accounts.set_up(token_of(new), "eve@example.org", PASSWORD, BROWSER)
    assert all(token_of(new) not in str(row.model_dump()) for row in await rows_of(database, OneTimeLink))


async def test_t88_the_setup_link_is_worthless_once_an_admin_exists(accounts: Accounts) -> None:
    path = await accounts.setup_link_if_needed()
    assert path
    assert not await accounts.has_admin()
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    assert await accounts.has_admin()
    with pytest.raises(InvalidRequest, match="Sign in if there is an admin"):
        await accounts.set_up(token_of(path), "eve@example.org", PASSWORD, BROWSER)


async def test_a_refused_setup_leaves_the_link_good(accounts: Accounts) -> None:
    path = await accounts.setup_link_if_needed()
    assert path
    with pytest.raises(Unprocessable):
        await accounts.set_up(token_of(path), "ada@example.org", "short", BROWSER)
    assert (await accounts.set_up(token_of(path), "ada@example.org", PASSWORD, BROWSER)).person.is_admin


async def race(*attempts: object) -> tuple[list[SignedIn], list[BaseException]]:
    done = await asyncio.gather(*attempts, return_exceptions=True)  # type: ignore[call-overload]
    return [d for d in done if isinstance(d, SignedIn)], [d for d in done if isinstance(d, BaseException)]


async def test_t69_of_two_who_use_a_link_at_once_one_wins(accounts: Accounts) -> None:
    setup = await accounts.setup_link_if_needed()
    assert setup
    won, lost = await race(
        accounts.set_up(token_of(setup), "ada@example.org", PASSWORD, BROWSER),
        accounts.set_up(token_of(setup), "eve@example.org", PASSWORD, BROWSER),
    )
    assert len(won) == 1
    assert [getattr(error, "code", None) for error in lost] == ["link_invalid"]
    invite = await accounts.invite(ROOT, "bob@example.org", Role.DEVELOPER)
    won, lost = await race(*(accounts.accept_invite(token_of(invite), PASSWORD, BROWSER) for _ in range(2)))
    assert (len(won), len(lost)) == (1, 1)
    reset = await accounts.reset_link(ROOT, "bob@example.org")
    won, lost = await race(*(accounts.reset_by_link(token_of(reset), word, BROWSER) for word in (PASSWORD, ANOTHER)))
    assert (len(won), len(lost)) == (1, 1)


async def test_t69_links_are_refused_when_used_expired_or_made_for_something_else(
    accounts: Accounts, database: Database
) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    old = await accounts.reset_link(ROOT, "ada@example.org")
    new = await accounts.reset_link(ROOT, "ada@example.org")
    invite = await accounts.invite(ROOT, "bob@example.org", Role.ADMIN)
    for token in (token_of(old), token_of(invite), "", "x" * 43, "'; drop table person; --"):
        with pytest.raises(InvalidRequest):
            await accounts.reset_by_link(token, ANOTHER, BROWSER)
    with pytest.raises(InvalidRequest):
        await accounts.set_up(token_of(invite), "eve@example.org", PASSWORD, BROWSER)
    async with database.write() as session:
        await session.execute(update(OneTimeLink).values(expires_us=1).where(col(OneTimeLink.used_us).is_(None)))
    with pytest.raises(InvalidRequest):
        await accounts.reset_by_link(token_of(new), ANOTHER, BROWSER)
    with pytest.raises(InvalidRequest):
        await accounts.accept_invite(token_of(invite), PASSWORD, BROWSER)


async def test_t69_lifetimes_and_entropy_of_links(accounts: Accounts, database: Database) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    paths = [
        await accounts.setup_link_if_needed() or "",
        await accounts.invite(ROOT, "bob@example.org", Role.ADMIN),
        await accounts.reset_link(ROOT, "ada@example.org"),
    ]
    assert all(len(token_of(path)) == 43 for path in paths), "256 bits in base64url"
    minutes = {row.purpose: (row.expires_us - row.created_us) / 60e6 for row in await rows_of(database, OneTimeLink)}
    assert minutes == {"setup": 60, "invite": 7 * 24 * 60, "reset": 30}


async def test_t69_a_links_host_is_the_configured_one(database: Database, settings: Settings) -> None:
    public = dataclasses.replace(settings, public_url="https://ai.example.org/")
    assert accounts_of(database, public).link_url("/x?token=y") == "https://ai.example.org/x?token=y"
    assert accounts_of(database, settings).link_url("/x") == "/x"
    assert accounts_of(database, settings).link_url("/x", "http://127.0.0.1:8000") == "http://127.0.0.1:8000/x"


async def test_a_reset_link_sets_the_password_and_ends_all_sessions(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    before = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    signed_in = await accounts.reset_by_link(
        token_of(await accounts.reset_link(ROOT, "ada@example.org")), ANOTHER, BROWSER
    )
    assert await accounts.resolve(before.cookie) is None
    assert await accounts.resolve(signed_in.cookie) == signed_in.person
    await accounts.sign_in("ada@example.org", ANOTHER, BROWSER)


async def test_a_changed_password_makes_open_reset_links_worthless(accounts: Accounts) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    link = await accounts.reset_link(ROOT, "ada@example.org")
    here = await accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    await accounts.change_password(here.person, PASSWORD, ANOTHER, BROWSER)
    with pytest.raises(InvalidRequest):
        await accounts.reset_by_link(token_of(link), PASSWORD, BROWSER)


async def test_an_invitation_makes_the_account_it_names(accounts: Accounts) -> None:
    link = await accounts.invite(ROOT, "Bob@example.org", Role.ADMIN)
    person = (await accounts.accept_invite(token_of(link), PASSWORD, BROWSER)).person
    assert (person.email, person.role) == ("bob@example.org", Role.ADMIN)
    with pytest.raises(Conflict):
        await accounts.invite(ROOT, "bob@example.org", Role.DEVELOPER)


@pytest.mark.parametrize(("signup", "code"), [("invite", "signup_by_invitation"), ("closed", "signup_closed")])
async def test_sign_up_follows_the_setting(database: Database, settings: Settings, signup: str, code: str) -> None:
    accounts = accounts_of(database, dataclasses.replace(settings, signup=signup))  # type: ignore[arg-type]
    with pytest.raises(PermissionDenied) as refused:
        await accounts.sign_up("ada@example.org", PASSWORD, BROWSER)
    assert refused.value.code == code


async def test_open_sign_up_makes_a_developer_never_an_admin(database: Database, settings: Settings) -> None:
    accounts = accounts_of(database, dataclasses.replace(settings, signup="open"))
    signed_in = await accounts.sign_up("ada@example.org", PASSWORD, BROWSER)
    assert signed_in.person.role is Role.DEVELOPER
    assert await accounts.resolve(signed_in.cookie) == signed_in.person
    with pytest.raises(Conflict):
        await accounts.sign_up("ada@example.org", ANOTHER, BROWSER)


@pytest.mark.parametrize(
    "password", ["a" * 8, "b" * 72, "c" * 73, "d" * 1024, "nul\0nul\0nul", "🔑" * 8, "e\u0301" * 8]
)
async def test_t66_any_text_of_8_to_1024_characters_signs_in_whole(accounts: Accounts, password: str) -> None:
    await accounts.create_user(ROOT, "ada@example.org", password, Role.DEVELOPER)
    await accounts.sign_in("ada@example.org", password, BROWSER)
    if len(password) > 8:
        with pytest.raises(Unauthenticated):
            await accounts.sign_in("ada@example.org", password[:-1], BROWSER)


@pytest.mark.parametrize("password", ["", "a", "a" * 7, "a" * 1025, "\ud800" * 8])
async def test_t66_other_texts_are_refused_in_words(accounts: Accounts, password: str) -> None:
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    for attempt in (
        accounts.create_user(ROOT, "bob@example.org", password, Role.DEVELOPER),
        accounts.sign_in("ada@example.org", password, BROWSER),
        accounts.reset_password(ROOT, "ada@example.org", password),
    ):
        with pytest.raises(BrokerError) as refused:
            await attempt
        assert (refused.value.status, refused.value.code) == (422, "password_refused")
        assert "characters" in refused.value.message


async def test_an_end_of_a_session_reaches_another_process(database: Database, settings: Settings) -> None:
    feed = ChangeFeed(database)
    here, elsewhere = accounts_of(database, settings, feed), accounts_of(database, settings)
    await here.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    signed_in = await here.sign_in("ada@example.org", PASSWORD, BROWSER)
    await feed.poll_once()
    assert await here.resolve(signed_in.cookie) is not None, "now cached"
    await elsewhere.disable_user(ROOT, "ada@example.org")
    await feed.poll_once()
    assert await here.resolve(signed_in.cookie) is None


async def test_accounts_need_no_open_vault(database: Database, settings: Settings) -> None:
    accounts = Accounts(database, OpenVault(is_sealed=True), settings, ChangeFeed(database))
    await accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    assert (await accounts.sign_in("ada@example.org", PASSWORD, Browser("192.0.2.1"))).person.is_admin


async def test_an_actor_who_is_gone_changes_nothing(accounts: Accounts) -> None:
    with pytest.raises(NotFound):
        await accounts.change_password(Person("usr_x", "x@example.org", Role.ADMIN), PASSWORD, ANOTHER, BROWSER)
