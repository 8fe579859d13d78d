"""Second factors: set up, asked for, used once, taken away; and what somebody who knows only the password gets."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import cast

import pytest
from sqlmodel import col, select, update

from aiservice.errors import (
    BrokerError,
    Conflict,
    InvalidRequest,
    NotFound,
    Overloaded,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from aiservice.kit import totp
from aiservice.kit.clock import now_us
from aiservice.kit.passkeys import Site
from aiservice.principal import Person, Role
from aiservice.services.accounts import Accounts, Browser
from aiservice.services.audit import Audit
from aiservice.services.changes import ChangeFeed
from aiservice.services.entrance import Held, SecondFactorNeeded, SignedIn
from aiservice.services.step_up import CONFIRMED_US
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import AuditEntry, HeldSignIn, Passkey, PortalSession, RecoveryCode, Totp
from tests.services.authenticator import Authenticator
from tests.services.people import BROWSER, ROOT, OpenVault

EMAIL, PASSWORD, ANOTHER = "ada@example.org", "correct horse battery", "staple horse correct"
SITE = Site("portal.test", "https://portal.test")
STRANGER = Browser("198.51.100.7")


@dataclass
class Ada:
    """A person, their password and what they hold in their hands."""

    accounts: Accounts
    database: Database
    vault: OpenVault
    secret: bytes = b""
    codes: list[str] = field(default_factory=list)

    async def session(self) -> Person:
        """Signs in, with the app where there is one."""
        try:
            return (await self.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).person
        except SecondFactorNeeded as asked:
            return (await self.accounts.second_step.with_code(asked.held.ticket, await self.code(), BROWSER)).person

    async def held(self, browser: Browser = BROWSER) -> Held:
        with pytest.raises(SecondFactorNeeded) as asked:
            await self.accounts.sign_in(EMAIL, PASSWORD, browser)
        return asked.value.held

    async def code(self) -> str:
        """The app's code of now, as if none had been used before."""
        async with self.database.write() as session:
            await session.execute(update(Totp).values(last_step=0))
        return totp.code_at(self.secret, totp.step_at(now_us()))

    async def has_app(self) -> Person:
        """Sets up an authenticator app."""
        me = await self.session()
        begun = await self.accounts.factors.begin_app(me)
        self.secret = next(secret.reveal() for _, secret in reversed(self.vault.kept.values()))
        assert totp.base32_of(self.secret) == begun.secret
        self.codes = await self.accounts.factors.prove_app(me, await self.code()) or self.codes
        return me

    async def has_passkey(self, me: Person, device: Authenticator, name: str = "laptop") -> None:
        options = await self.accounts.factors.begin_passkey(me, SITE)
        self.codes = await self.accounts.factors.add_passkey(me, name, device.create(options), SITE) or self.codes

    async def age(self) -> None:
        """Whatever was said in any session was said six minutes ago."""
        async with self.database.write() as session:
            past = now_us() - CONFIRMED_US - 1
            await session.execute(update(PortalSession).values(created_us=past, confirmed_us=None))

    async def actions(self) -> list[str]:
        async with self.database.read() as session:
            rows = await session.scalars(select(AuditEntry).order_by(col(AuditEntry.number)))
            return [row.action for row in rows]


@pytest.fixture
async def ada(database: Database, settings: Settings, quick_passwords: None) -> Ada:
    vault = OpenVault()
    Audit(database, cast(Vault, vault))
    accounts = Accounts(database, vault, settings, ChangeFeed(database))
    await accounts.create_user(ROOT, EMAIL, PASSWORD, Role.ADMIN)
    return Ada(accounts, database, vault)


def code_of(raised: pytest.ExceptionInfo[BrokerError]) -> str:
    return raised.value.code


async def test_an_app_counts_once_a_code_has_proved_it_and_is_asked_for_from_then_on(ada: Ada) -> None:
    me = await ada.session()
    await ada.accounts.factors.begin_app(me)
    assert (await ada.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).cookie, "begun is not proved"
    with pytest.raises(InvalidRequest) as raised:
        await ada.accounts.factors.prove_app(me, "000000")
    assert code_of(raised) == "wrong_factor"
    await ada.has_app()
    assert len(ada.codes) == 10
    held = await ada.held()
    assert not held.is_set_up and held.ticket not in repr(held)
    assert await ada.accounts.resolve(held.ticket) is None, "what waits is no session"
    signed_in = await ada.accounts.second_step.with_code(held.ticket, await ada.code(), BROWSER)
    assert (await ada.accounts.resolve(signed_in.cookie)) == signed_in.person


async def test_a_code_is_taken_once_and_so_is_none_before_it(ada: Ada) -> None:
    await ada.has_app()
    code = await ada.code()
    first, second = await ada.held(), await ada.held()
    await ada.accounts.second_step.with_code(first.ticket, code, BROWSER)
    older = totp.code_at(ada.secret, totp.step_at(now_us()) - 1)
    for used in (code, older):
        with pytest.raises(InvalidRequest) as raised:
            await ada.accounts.second_step.with_code(second.ticket, used, BROWSER)
        assert code_of(raised) == "wrong_factor"


async def test_of_many_who_show_the_same_code_at_once_one_gets_in(ada: Ada) -> None:
    await ada.has_app()
    code = await ada.code()
    tickets = [(await ada.held()).ticket for _ in range(4)]
    tries = (ada.accounts.second_step.with_code(ticket, code, BROWSER) for ticket in tickets)
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, SignedIn) for each in done) == 1
    assert sum(isinstance(each, InvalidRequest) for each in done) == 3


async def test_a_ticket_is_good_for_one_session_and_ten_minutes(ada: Ada) -> None:
    await ada.has_app()
    held = await ada.held()
    await ada.accounts.second_step.with_code(held.ticket, await ada.code(), BROWSER)
    late = await ada.held()
    async with ada.database.write() as session:
        await session.execute(update(HeldSignIn).values(expires_us=now_us()))
    for ticket in (held.ticket, late.ticket, "", "x" * 43):
        assert await ada.accounts.entrance.waiting(ticket) is None
        with pytest.raises(Unauthenticated) as raised:
            await ada.accounts.second_step.with_code(ticket, await ada.code(), BROWSER)
        assert code_of(raised) == "sign_in_expired"


async def test_a_recovery_code_works_once_in_any_spelling_and_only_for_its_person(ada: Ada) -> None:
    await ada.has_app()
    held = await ada.held()
    await ada.accounts.second_step.with_code(held.ticket, ada.codes[0].upper().replace("-", " "), BROWSER)
    again = await ada.held()
    with pytest.raises(InvalidRequest):
        await ada.accounts.second_step.with_code(again.ticket, ada.codes[0], BROWSER)
    async with ada.database.read() as session:
        rows = list(await session.scalars(select(RecoveryCode)))
    assert sum(row.used_us is not None for row in rows) == 1
    kept = json.dumps([row.code_hash for row in rows])
    assert not [code for code in ada.codes if code in kept or code.replace("-", "") in kept]
    waiting = await ada.accounts.entrance.waiting(again.ticket)
    assert waiting is not None and waiting.standing.codes_left == 9


async def test_new_recovery_codes_end_the_ones_before(ada: Ada) -> None:
    me = await ada.has_app()
    before = ada.codes
    after = await ada.accounts.factors.new_recovery_codes(me)
    assert not set(before) & set(after)
    held = await ada.held()
    with pytest.raises(InvalidRequest):
        await ada.accounts.second_step.with_code(held.ticket, before[0], BROWSER)
    await ada.accounts.second_step.with_code(held.ticket, after[0], BROWSER)


async def test_t64_wrong_codes_count_where_wrong_passwords_do_and_the_owner_still_gets_in(ada: Ada) -> None:
    await ada.has_app()
    held = await ada.held(STRANGER)
    for _ in range(10):
        with pytest.raises(InvalidRequest):
            await ada.accounts.second_step.with_code(held.ticket, "000000", STRANGER)
    with pytest.raises(RateLimited):
        await ada.accounts.second_step.with_code(held.ticket, await ada.code(), STRANGER)
    with pytest.raises(RateLimited):
        await ada.accounts.sign_in(EMAIL, PASSWORD, STRANGER)
    assert (await ada.session()).email == EMAIL, "from where they signed in before"
    assert (await ada.actions()).count("session.factor_refused") == 10


async def test_a_passkey_alone_signs_in_whoever_it_is_of_and_a_challenge_is_used_once(ada: Ada) -> None:
    device = Authenticator()
    await ada.has_passkey(await ada.session(), device)
    ticket, options = await ada.accounts.second_step.ask_any_passkey(SITE)
    assert options["allowCredentials"] == []
    answer = device.get(options)
    signed_in = await ada.accounts.second_step.with_passkey_alone(ticket, answer, SITE, BROWSER)
    assert signed_in.person.email == EMAIL
    with pytest.raises(InvalidRequest) as raised:
        await ada.accounts.second_step.with_passkey_alone(ticket, answer, SITE, BROWSER)
    assert code_of(raised) == "passkey_expired"


async def test_a_challenge_belongs_to_one_browser_and_is_used_up_by_a_wrong_answer_too(ada: Ada) -> None:
    device = Authenticator()
    await ada.has_passkey(await ada.session(), device)
    ticket, options = await ada.accounts.second_step.ask_any_passkey(SITE)
    other, _ = await ada.accounts.second_step.ask_any_passkey(SITE)
    answer = device.get(options)
    with pytest.raises(InvalidRequest):
        await ada.accounts.second_step.with_passkey_alone(other, answer, SITE, BROWSER)
    with pytest.raises(InvalidRequest):
        await ada.accounts.second_step.with_passkey_alone(ticket, Authenticator().get(options), SITE, BROWSER)
    with pytest.raises(InvalidRequest):
        await ada.accounts.second_step.with_passkey_alone(ticket, answer, SITE, BROWSER)


async def test_a_passkey_is_shown_behind_the_password_too_and_must_be_ones_own(ada: Ada) -> None:
    device, others = Authenticator(), Authenticator()
    await ada.has_passkey(await ada.session(), device)
    await ada.accounts.create_user(ROOT, "eve@example.org", PASSWORD, Role.DEVELOPER)
    eve = (await ada.accounts.sign_in("eve@example.org", PASSWORD, STRANGER)).person
    made = others.create(await ada.accounts.factors.begin_passkey(eve, SITE))
    await ada.accounts.factors.add_passkey(eve, "hers", made, SITE)
    held = await ada.held()
    options = await ada.accounts.second_step.ask_passkey(held.ticket, SITE)
    assert len(options["allowCredentials"]) == 1
    with pytest.raises(InvalidRequest) as raised:
        await ada.accounts.second_step.with_passkey(held.ticket, others.get(options), SITE, BROWSER)
    assert code_of(raised) == "wrong_factor"
    options = await ada.accounts.second_step.ask_passkey(held.ticket, SITE)
    signed_in = await ada.accounts.second_step.with_passkey(held.ticket, device.get(options), SITE, BROWSER)
    assert signed_in.person.email == EMAIL


async def test_a_passkey_belongs_to_its_host_name(ada: Ada) -> None:
    await ada.has_passkey(await ada.session(), Authenticator())
    held = await ada.held()
    elsewhere = Site("localhost", "http://localhost:8000")
    with pytest.raises(InvalidRequest) as raised:
        await ada.accounts.second_step.ask_passkey(held.ticket, elsewhere)
    assert code_of(raised) == "no_passkey"


async def test_a_counter_that_goes_back_is_noted_and_lets_in(ada: Ada) -> None:
    device = Authenticator(counter=7)
    await ada.has_passkey(await ada.session(), device)
    device.counter = 3
    ticket, options = await ada.accounts.second_step.ask_any_passkey(SITE)
    me = (await ada.accounts.second_step.with_passkey_alone(ticket, device.get(options), SITE, BROWSER)).person
    (shown,) = (await ada.accounts.factors.of(me)).passkeys
    assert shown.regressed_us is not None and shown.last_used_us is not None
    assert "factor.counter_went_back" in await ada.actions()
    async with ada.database.read() as session:
        assert await session.scalar(select(col(Passkey.counter))) == 7


async def test_passkeys_are_named_renamed_and_known_once(ada: Ada) -> None:
    me, device = await ada.session(), Authenticator()
    await ada.has_passkey(me, device, " My  laptop ")
    (row,) = (await ada.accounts.factors.of(me)).passkeys
    assert row.name == "My laptop"
    await ada.accounts.factors.rename_passkey(me, row.id, "Phone")
    with pytest.raises(Conflict) as raised:
        await ada.has_passkey(me, device)
    assert code_of(raised) == "passkey_known"
    stranger = Person("usr_none", "eve@example.org", Role.DEVELOPER, "x")
    with pytest.raises(NotFound):
        await ada.accounts.factors.rename_passkey(stranger, row.id, "Mine")
    with pytest.raises(BrokerError):
        await ada.accounts.factors.rename_passkey(me, row.id, "x" * 61)
    assert [key.name for key in (await ada.accounts.factors.of(me)).passkeys] == ["Phone"]


async def test_t57_nobody_removes_a_passkey_of_somebody_else(ada: Ada) -> None:
    me = await ada.session()
    await ada.has_passkey(me, Authenticator())
    (row,) = (await ada.accounts.factors.of(me)).passkeys
    await ada.accounts.create_user(ROOT, "eve@example.org", PASSWORD, Role.ADMIN)
    eve = (await ada.accounts.sign_in("eve@example.org", PASSWORD, STRANGER)).person
    with pytest.raises(NotFound):
        await ada.accounts.factors.remove_passkey(eve, row.id)
    assert len((await ada.accounts.factors.of(me)).passkeys) == 1


async def test_t68_whatever_changes_a_factor_asks_who_is_there(ada: Ada) -> None:
    me = await ada.has_app()
    await ada.has_passkey(me, Authenticator())
    (row,) = (await ada.accounts.factors.of(me)).passkeys
    await ada.age()
    factors = ada.accounts.factors
    for act in (
        lambda: factors.begin_app(me), lambda: factors.prove_app(me, "123456"), lambda: factors.remove_app(me),
        lambda: factors.begin_passkey(me, SITE), lambda: factors.add_passkey(me, "n", "{}", SITE),
        lambda: factors.remove_passkey(me, row.id), lambda: factors.new_recovery_codes(me),
        lambda: factors.reset(me, EMAIL), lambda: factors.set_rule(me, "everybody"),
    ):  # fmt: skip
        with pytest.raises(PermissionDenied) as raised:
            await act()
        assert code_of(raised) == "step_up_required"
    view = await factors.of(me)
    assert (view.app_since_us is not None, len(view.passkeys), view.codes_left) == (True, 1, 10)


@pytest.mark.parametrize("shown", ["password", "app", "passkey"])
async def test_t68_a_password_a_code_or_a_passkey_says_it_again(ada: Ada, shown: str) -> None:
    device = Authenticator()
    me = await ada.has_app()
    await ada.has_passkey(me, device)
    await ada.age()
    if shown == "passkey":
        options = await ada.accounts.confirming.ask_passkey(me, SITE)
        assert options["userVerification"] == "required"
        await ada.accounts.confirming.show_passkey(me, device.get(options), SITE)
    else:
        await ada.accounts.confirm(me, PASSWORD if shown == "password" else await ada.code())
    await ada.accounts.factors.new_recovery_codes(me)


async def test_t68_a_wrong_code_a_used_one_or_another_persons_passkey_says_nothing(ada: Ada) -> None:
    me = await ada.has_app()
    await ada.has_passkey(me, Authenticator())
    code = await ada.code()
    await ada.accounts.confirm(me, code)
    await ada.age()
    for wrong in ("000000", code):
        with pytest.raises(Unauthenticated):
            await ada.accounts.confirm(me, wrong)
    options = await ada.accounts.confirming.ask_passkey(me, SITE)
    with pytest.raises(InvalidRequest):
        await ada.accounts.confirming.show_passkey(me, Authenticator().get(options), SITE)
    with pytest.raises(PermissionDenied):
        await ada.accounts.factors.new_recovery_codes(me)


@pytest.mark.parametrize(("rule", "is_asked"), [("nobody", False), ("admins", True), ("everybody", True)])
async def test_a_rule_leads_to_the_first_factor_before_anything_else(ada: Ada, rule: str, is_asked: bool) -> None:
    await ada.accounts.factors.set_rule(ROOT, rule)
    if not is_asked:
        assert (await ada.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).cookie
        return
    held = await ada.held()
    assert held.is_set_up
    begun = await ada.accounts.first_factor.begin_app(held.ticket)
    secret = next(iter(ada.vault.kept.values()))[1].reveal()
    assert begun.secret == totp.base32_of(secret)
    with pytest.raises(InvalidRequest):
        await ada.accounts.first_factor.prove_app(held.ticket, "000000", BROWSER)
    code = totp.code_at(secret, totp.step_at(now_us()))
    signed_in, codes = await ada.accounts.first_factor.prove_app(held.ticket, code, BROWSER)
    assert len(codes) == 10 and await ada.accounts.resolve(signed_in.cookie) == signed_in.person


async def test_a_first_factor_may_be_a_passkey(ada: Ada) -> None:
    await ada.accounts.factors.set_rule(ROOT, "admins")
    held, device = await ada.held(), Authenticator()
    made = device.create(await ada.accounts.first_factor.begin_passkey(held.ticket, SITE))
    signed_in, codes = await ada.accounts.first_factor.add_passkey(held.ticket, ("laptop", made), SITE, BROWSER)
    assert len(codes) == 10 and signed_in.person.email == EMAIL


async def test_a_rule_for_admins_asks_no_developer(ada: Ada) -> None:
    await ada.accounts.factors.set_rule(ROOT, "admins")
    await ada.accounts.create_user(ROOT, "bob@example.org", PASSWORD, Role.DEVELOPER)
    assert (await ada.accounts.sign_in("bob@example.org", PASSWORD, BROWSER)).cookie
    assert await ada.accounts.factors.without_factor(ROOT) == [EMAIL, "bob@example.org"]


async def test_who_knows_only_the_password_cannot_put_a_factor_in_place_of_the_owners(ada: Ada) -> None:
    await ada.accounts.factors.set_rule(ROOT, "everybody")
    thief, owner = await ada.held(STRANGER), await ada.held()
    await ada.accounts.first_factor.begin_app(owner.ticket)
    secret = next(iter(ada.vault.kept.values()))[1].reveal()
    code = totp.code_at(secret, totp.step_at(now_us()))
    await ada.accounts.first_factor.prove_app(owner.ticket, code, BROWSER)
    for act in (
        lambda: ada.accounts.first_factor.begin_app(thief.ticket),
        lambda: ada.accounts.first_factor.prove_app(thief.ticket, code, STRANGER),
        lambda: ada.accounts.first_factor.begin_passkey(thief.ticket, SITE),
    ):
        with pytest.raises(Unauthenticated) as raised:
            await act()
        assert code_of(raised) == "sign_in_expired"


async def test_the_last_factor_stays_while_a_rule_asks_for_it(ada: Ada) -> None:
    me = await ada.has_app()
    await ada.accounts.factors.set_rule(ROOT, "everybody")
    with pytest.raises(Conflict) as raised:
        await ada.accounts.factors.remove_app(me)
    assert code_of(raised) == "factor_required"
    assert (await ada.accounts.factors.of(me)).app_since_us is not None
    await ada.accounts.factors.set_rule(ROOT, "nobody")
    await ada.accounts.factors.remove_app(me)
    assert (await ada.accounts.factors.of(me)).codes_left == 0
    assert ada.vault.kept == {}, "the secret is gone with it"
    assert (await ada.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).cookie


async def test_an_admin_resets_factors_and_their_sessions_end(ada: Ada) -> None:
    me = await ada.has_app()
    await ada.has_passkey(me, Authenticator())
    waiting = await ada.held()
    await ada.accounts.factors.reset(ROOT, EMAIL)
    assert await ada.accounts.sessions_of(me) == []
    assert await ada.accounts.entrance.waiting(waiting.ticket) is None
    again = (await ada.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).person
    view = await ada.accounts.factors.of(again)
    assert (view.app_since_us, view.passkeys, view.codes_left) == (None, (), 0)
    assert "factor.reset" in await ada.actions()
    bob = await ada.accounts.create_user(ROOT, "bob@example.org", PASSWORD, Role.DEVELOPER)
    with pytest.raises(PermissionDenied):
        await ada.accounts.factors.reset(bob, EMAIL)


async def test_a_reset_link_changes_the_password_and_still_asks_for_the_factor(ada: Ada) -> None:
    await ada.has_app()
    waiting = await ada.held()
    link = await ada.accounts.reset_link(ROOT, EMAIL)
    with pytest.raises(SecondFactorNeeded) as asked:
        await ada.accounts.reset_by_link(link.partition("token=")[2], ANOTHER, STRANGER)
    assert await ada.accounts.entrance.waiting(waiting.ticket) is None, "what the old password began is over"
    await ada.accounts.second_step.with_code(asked.value.held.ticket, await ada.code(), BROWSER)


async def test_a_disabled_person_gets_in_by_no_factor(ada: Ada) -> None:
    device = Authenticator()
    me = await ada.has_app()
    await ada.has_passkey(me, device)
    await ada.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    held = await ada.held()
    ticket, options = await ada.accounts.second_step.ask_any_passkey(SITE)
    await ada.accounts.disable_user(ROOT, EMAIL)
    with pytest.raises(Unauthenticated):
        await ada.accounts.second_step.with_code(held.ticket, await ada.code(), BROWSER)
    with pytest.raises(InvalidRequest):
        await ada.accounts.second_step.with_passkey_alone(ticket, device.get(options), SITE, BROWSER)


async def test_a_sealed_vault_takes_no_code(ada: Ada) -> None:
    await ada.has_app()
    code, held = await ada.code(), await ada.held()
    ada.vault.is_sealed = True
    for shown in (code, ada.codes[0]):
        with pytest.raises(Overloaded) as raised:
            await ada.accounts.second_step.with_code(held.ticket, shown, BROWSER)
        assert code_of(raised) == "sealed"


async def test_a_new_app_takes_the_place_of_the_one_before(ada: Ada) -> None:
    await ada.has_app()
    old = ada.secret
    await ada.has_app()
    assert ada.secret != old and len(ada.vault.kept) == 1
    held = await ada.held()
    with pytest.raises(InvalidRequest):
        code = totp.code_at(old, totp.step_at(now_us()))
        await ada.accounts.second_step.with_code(held.ticket, code, BROWSER)


async def test_what_is_over_is_purged(ada: Ada) -> None:
    me = await ada.has_app()
    await ada.held()
    await ada.accounts.factors.begin_app(me)
    async with ada.database.write() as session:
        await session.execute(update(HeldSignIn).values(expires_us=1))
        await session.execute(update(Totp).where(col(Totp.confirmed_us).is_(None)).values(created_us=1))
    await ada.accounts.purge()
    async with ada.database.read() as session:
        assert list(await session.scalars(select(HeldSignIn))) == []
    assert len(ada.vault.kept) == 1
