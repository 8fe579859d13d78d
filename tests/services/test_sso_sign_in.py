"""Signing in by somebody else: what opens a session, and the attacks that do not."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import col, select, update

from aiservice.errors import BrokerError
from aiservice.kit.clock import now_us
from aiservice.principal import Person, Role
from aiservice.services.sessions import hash_of
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import AuditEntry, PortalSession, SsoAttempt, SsoIdentity, SsoSession, User
from tests.services.oidc import SECRET, forged_with_hmac, provider, signed
from tests.services.people import BROWSER, ROOT
from tests.services.sso_rig import PUBLIC_URL, SsoRig, sso_rig

PASSWORD = "correct horse battery"


@pytest.fixture
async def rig(database: Database, settings: Settings, quick_passwords: None) -> AsyncIterator[SsoRig]:
    async with sso_rig(database, settings) as made:
        await made.add()
        yield made


async def refused(coming: Any) -> str:
    with pytest.raises(BrokerError) as error:
        await coming
    return error.value.code


async def count(rig: SsoRig, table: Any) -> int:
    async with rig.db.read() as session:
        return len((await session.scalars(select(table))).all())


async def acts(rig: SsoRig) -> list[str]:
    async with rig.db.read() as session:
        return list(await session.scalars(select(AuditEntry.action).order_by(col(AuditEntry.number))))


async def test_somebody_new_gets_an_account_and_a_session(rig: SsoRig) -> None:
    back = await rig.come_in("/keys?tab=all")
    assert back.signed_in is not None
    assert (back.is_new, back.next_path) == (True, "/keys?tab=all")
    assert (back.signed_in.person.email, back.signed_in.person.role) == ("ada@example.org", Role.DEVELOPER)
    assert await rig.accounts.resolve(back.signed_in.cookie) == back.signed_in.person
    assert (await acts(rig))[-3:] == ["person.create", "sso.link", "session.open"]


@pytest.mark.long
async def test_the_way_out_asks_for_a_code_with_pkce_state_and_nonce(rig: SsoRig) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.location).query).items()}
    assert asked["redirect_uri"] == f"{PUBLIC_URL}/auth/sso/work/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"] == "openid email profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"], begun.cookie}) == 4
    assert begun.cookie not in begun.location


async def test_from_the_first_time_on_the_subject_is_who_one_is(rig: SsoRig) -> None:
    first = await rig.come_in()
    rig.there.who = {"sub": "ada-1", "email": "ada.new@example.org", "email_verified": True}
    again = await rig.come_in()
    assert first.signed_in is not None
    assert again.signed_in is not None
    assert again.signed_in.person.user_id == first.signed_in.person.user_id
    assert again.signed_in.person.email == "ada@example.org"
    assert await count(rig, User) == 1


@pytest.mark.long
async def test_another_subject_with_the_address_of_somebody_linked_shares_their_account(rig: SsoRig) -> None:
    """As the provider has verified it: an address that was given to somebody else is the admin's to unlink."""
    await rig.come_in()
    rig.there.who = {"sub": "ada-2", "email": "ada@example.org", "email_verified": False}
    assert await refused(rig.come_in()) == "sso_email_unverified"
    assert await count(rig, SsoIdentity) == 1


async def test_an_account_is_linked_by_an_address_that_was_verified(rig: SsoRig) -> None:
    made = await rig.accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    back = await rig.come_in()
    assert back.signed_in is not None
    assert (back.signed_in.person.user_id, back.signed_in.person.role, back.is_new) == (made.user_id, Role.ADMIN, False)
    assert (await rig.accounts.sign_in("ada@example.org", PASSWORD, BROWSER)).person.user_id == made.user_id


@pytest.mark.long
@pytest.mark.parametrize("said", [{"email_verified": False}, {}, {"email_verified": 1}, {"email_verified": "yes"}])
async def test_an_address_that_nobody_verified_opens_no_account(rig: SsoRig, said: dict[str, Any]) -> None:
    await rig.accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    rig.there.who = {"sub": "mallory", "email": "ada@example.org", **said}
    assert await refused(rig.come_in()) == "sso_email_unverified"
    assert await count(rig, PortalSession) == 0


@pytest.mark.long
async def test_an_admin_may_trust_a_provider_that_has_no_word_for_verified(rig: SsoRig) -> None:
    rig.there.who = {"sub": "ada-1", "email": "ada@example.org"}
    await rig.sso.change(ROOT, "work", trusts_addresses=True)
    assert (await rig.come_in()).is_new


async def test_an_account_is_not_linked_where_anybody_may_sign_up_under_its_address(
    database: Database, settings: Settings, quick_passwords: None
) -> None:
    async with sso_rig(database, replace(settings, signup="open")) as rig:
        await rig.add()
        await rig.accounts.sign_up("ada@example.org", PASSWORD, BROWSER)  # by whoever wants to wait for ada
        assert await refused(rig.come_in()) == "sso_account_exists"
        assert await count(rig, SsoIdentity) == 0


@pytest.mark.long
async def test_without_sign_up_only_people_with_an_account_come_in(rig: SsoRig) -> None:
    await rig.sso.change(ROOT, "work", makes_accounts=False)
    assert await refused(rig.come_in()) == "sso_no_account"
    await rig.accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.DEVELOPER)
    assert (await rig.come_in()).signed_in is not None


@pytest.mark.long
async def test_only_some_domains_come_in(rig: SsoRig) -> None:
    await rig.sso.change(ROOT, "work", domains=["example.org"])
    assert (await rig.come_in()).is_new
    for email in ("eve@example.com", "eve@sub.example.org", "eve@example.org.evil.test", None):
        rig.there.who = {"sub": f"eve-{email}", "email": email, "email_verified": True}
        assert await refused(rig.come_in()) == "sso_domain_refused"


@pytest.mark.long
async def test_groups_say_the_role_at_every_sign_in(rig: SsoRig) -> None:
    await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    await rig.sso.change(ROOT, "work", role_claim="realm.roles", admin_groups=["ops"], developer_groups=["dev"])
    for roles, role in ((["dev"], Role.DEVELOPER), (["ops", "dev"], Role.ADMIN), (["dev"], Role.DEVELOPER)):
        rig.there.who |= {"realm": {"roles": roles}}
        back = await rig.come_in()
        assert back.signed_in is not None
        assert back.signed_in.person.role is role
    rig.there.who |= {"realm": {"roles": ["sales"]}}
    assert await refused(rig.come_in()) == "sso_no_role"
    assert (await acts(rig)).count("person.role") == 2


async def test_groups_that_the_token_left_out_are_not_guessed_and_a_test_says_so(rig: SsoRig) -> None:
    admin = await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    await rig.sso.change(ROOT, "work", role_claim="groups", admin_groups=["ops"])
    rig.there.who |= {"groups": ["ops"]}
    await rig.come_in()
    del rig.there.who["groups"]
    rig.there.who |= {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x.test"}}}
    assert await refused(rig.come_in()) == "sso_groups_left_out"
    begun = await rig.sso.sign_in.begin("work", "/", "test", admin)
    await rig.come_back(begun.cookie, rig.there.allow(begun.location), person=admin)
    tried = (await rig.sso.find(ROOT, "work")).tried
    assert '"code":"sso_groups_left_out"' in tried
    assert "only the groups that are assigned" in tried
    (ada,) = [one for one in await rig.accounts.list_users(ROOT) if one.email == "ada@example.org"]
    assert ada.role is Role.ADMIN, "nobody loses a role because their groups are too many"


@pytest.mark.long
async def test_groups_never_take_the_last_admin_away(rig: SsoRig) -> None:
    await rig.accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    await rig.sso.change(ROOT, "work", role_claim="groups", admin_groups=["ops"])
    back = await rig.come_in()
    assert back.signed_in is not None
    assert back.signed_in.person.role is Role.ADMIN


@pytest.mark.long
async def test_a_lower_role_ends_the_sessions_of_the_higher_one(rig: SsoRig) -> None:
    await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    await rig.sso.change(ROOT, "work", role_claim="groups", admin_groups=["ops"])
    rig.there.who |= {"groups": ["ops"]}
    before = await rig.come_in()
    rig.there.who |= {"groups": []}
    await rig.come_in()
    assert before.signed_in is not None
    assert await rig.accounts.resolve(before.signed_in.cookie) is None


@pytest.mark.long
async def test_who_is_disabled_here_stays_out(rig: SsoRig) -> None:
    await rig.come_in()
    await rig.accounts.disable_user(ROOT, "ada@example.org")
    assert await refused(rig.come_in()) == "sso_account_disabled"


@pytest.mark.long
async def test_no_password_fits_an_account_that_single_sign_on_made(rig: SsoRig) -> None:
    await rig.come_in()
    for tried in ("a" * 12, "sso sso sso"):
        assert await refused(rig.accounts.sign_in("ada@example.org", tried, BROWSER)) == "wrong_credentials"


@pytest.mark.long
async def test_a_second_factor_is_asked_for_where_the_provider_is_not_enough(rig: SsoRig) -> None:
    await rig.sso.change(ROOT, "work", asks_second_factor=True)
    await rig.accounts.factors.set_rule(ROOT, "everybody")
    back = await rig.come_in("/keys")
    assert back.signed_in is None
    assert back.held is not None
    assert (back.held.is_set_up, back.next_path) == (True, "/keys")
    assert await count(rig, PortalSession) == 0


# Attacks


async def test_login_csrf_a_way_back_that_this_browser_did_not_begin_opens_nothing(rig: SsoRig) -> None:
    mine = await rig.sso.sign_in.begin("work", "/")
    theirs = await rig.sso.sign_in.begin("work", "/")
    link = rig.there.allow(mine.location)  # an attacker's own sign-in, sent to somebody as a link
    assert await refused(rig.come_back("", link)) == "sso_expired"
    assert await refused(rig.come_back(theirs.cookie, link)) == "sso_expired"
    assert await count(rig, PortalSession) == 0


@pytest.mark.long
async def test_a_state_that_was_guessed_does_not_use_the_sign_in_up(rig: SsoRig) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    assert await refused(rig.come_back(begun.cookie, {"code": "x", "state": "x" * 43})) == "sso_expired"
    assert (await rig.come_back(begun.cookie, rig.there.allow(begun.location))).signed_in is not None


async def test_code_replay_a_way_back_works_once(rig: SsoRig) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    said = rig.there.allow(begun.location)
    tries = [rig.come_back(begun.cookie, said) for _ in range(4)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(1 for each in outcomes if not isinstance(each, BaseException)) == 1
    assert {each.code for each in outcomes if isinstance(each, BrokerError)} == {"sso_expired"}
    assert rig.there.count("/token") == 1


async def test_code_injection_a_code_of_another_sign_in_is_refused_by_pkce(rig: SsoRig) -> None:
    victim = rig.there.allow((await rig.sso.sign_in.begin("work", "/")).location)
    attacker = await rig.sso.sign_in.begin("work", "/")
    own = rig.there.allow(attacker.location)
    assert await refused(rig.come_back(attacker.cookie, {**own, "code": victim["code"]})) == "sso_token_refused"


async def test_mix_up_a_code_of_one_provider_is_not_taken_to_another(rig: SsoRig) -> None:
    async with provider() as evil:
        await rig.add("evil", evil.issuer)
        begun = await rig.sso.sign_in.begin("evil", "/")
        honest = {**rig.there.allow(begun.location)}  # the attacker's provider sends the browser on to the honest one
        assert await refused(rig.come_back(begun.cookie, honest, name="evil")) == "sso_token_invalid"  # says who it is
        begun = await rig.sso.sign_in.begin("evil", "/")
        honest = {**rig.there.allow(begun.location)}
        assert await refused(rig.come_back(begun.cookie, honest, name="work")) == "sso_expired"  # comes back to its own
        assert evil.count("/token") == 0


@pytest.mark.long
async def test_an_answer_that_does_not_say_who_it_is_from_is_refused_where_it_always_does(rig: SsoRig) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    said = rig.there.allow(begun.location)
    del said["iss"]
    assert await refused(rig.come_back(begun.cookie, said)) == "sso_token_invalid"


@pytest.mark.long
async def test_session_fixation_every_sign_in_has_a_session_of_its_own(rig: SsoRig) -> None:
    one, two = await rig.come_in(), await rig.come_in()
    assert one.signed_in is not None
    assert two.signed_in is not None
    assert one.signed_in.cookie != two.signed_in.cookie
    begun = await rig.sso.sign_in.begin("work", "/")
    assert await rig.accounts.resolve(begun.cookie) is None


@pytest.mark.long
@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"aud": "another"}, "sso_token_invalid"), ({"nonce": "x" * 43}, "sso_token_invalid"),
        ({"iss": "https://evil.test"}, "sso_token_invalid"), ({"azp": "another"}, "sso_token_invalid"),
        ({"exp": 1}, "sso_clock_skew"), ({"iat": time.time() + 3600}, "sso_clock_skew"),
    ],
)  # fmt: skip
async def test_a_token_with_a_wrong_claim_opens_nothing(rig: SsoRig, lie: dict[str, Any], code: str) -> None:
    rig.there.twist_claims = lambda claims: {**claims, **lie}
    assert await refused(rig.come_in()) == code
    assert await count(rig, User) == 0


async def test_a_token_signed_with_nothing_or_with_the_public_key_opens_nothing(rig: SsoRig) -> None:
    algorithm, key = rig.there.keys[0]
    rig.there.twist_token = lambda token: signed(key, algorithm, {"x": 1}) + "."
    assert await refused(rig.come_in()) == "sso_token_invalid"
    rig.there.twist_token = lambda token: "eyJhbGciOiJub25lIn0." + token.split(".")[1] + ".AA"
    assert await refused(rig.come_in()) == "sso_token_invalid"
    rig.there.twist_token = lambda token: forged_with_hmac(key.as_pem(private=False), {"sub": "x"}, kid=key.kid)
    assert await refused(rig.come_in()) == "sso_token_invalid"
    assert await count(rig, PortalSession) == 0


@pytest.mark.long
async def test_keys_that_were_rotated_are_read_anew_and_made_up_ones_make_no_crowd(rig: SsoRig) -> None:
    await rig.come_in()
    rig.sso._wire._clock = lambda: time.monotonic() + 61
    rig.there.rotate()
    assert (await rig.come_in()).signed_in is not None
    assert rig.there.count("/keys") == 2
    rig.there.twist_token = lambda token: signed(rig.there.keys[0][1], "ES256", {}, kid="made up")
    for _ in range(5):
        assert await refused(rig.come_in()) == "sso_token_invalid"
    assert rig.there.count("/keys") == 2


@pytest.mark.long
async def test_a_code_of_a_provider_that_does_not_know_our_secret_says_what_to_do(rig: SsoRig) -> None:
    rig.there.answers["/token"] = lambda: (401, {"error": "invalid_client"})
    with pytest.raises(BrokerError, match="set the client secret again") as error:
        await rig.come_in()
    assert (error.value.code, SECRET in error.value.message) == ("sso_token_refused", False)


@pytest.mark.long
@pytest.mark.parametrize(
    ("said", "code"), [("access_denied", "sso_denied"), ("server_error\r\nX: <script>", "sso_provider_error")]
)
async def test_what_the_provider_refuses_is_told(rig: SsoRig, said: str, code: str) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    state = rig.there.allow(begun.location)["state"]
    assert await refused(rig.come_back(begun.cookie, {"error": said, "state": state, "iss": rig.there.issuer})) == code


@pytest.mark.long
async def test_ten_minutes_are_enough(rig: SsoRig) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    async with rig.db.write() as session:
        await session.execute(update(SsoAttempt).values(expires_us=now_us()))
    assert await refused(rig.come_back(begun.cookie, rig.there.allow(begun.location))) == "sso_expired"


@pytest.mark.long
async def test_what_the_id_token_does_not_say_is_asked_of_userinfo(rig: SsoRig) -> None:
    rig.there.who = {"sub": "ada-1"}
    rig.there.userinfo = {"sub": "ada-1", "email": "ada@example.org", "email_verified": True}
    assert (await rig.come_in()).is_new
    rig.there.who = {"sub": "eve-1"}
    rig.there.userinfo = {"sub": "somebody else", "email": "ada@example.org", "email_verified": True}
    assert await refused(rig.come_in()) == "sso_email_missing"


# Required, break glass


async def test_where_it_is_required_nothing_else_opens_a_session(rig: SsoRig) -> None:
    root = await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    assert await refused(rig.sso.rules.require(ROOT, is_required=True)) == "sso_untested"
    rig.there.who = {"sub": "root-1", "email": "root@example.org", "email_verified": True}
    await rig.come_in()
    reset = (await rig.accounts.reset_link(ROOT, "root@example.org")).partition("token=")[2]
    invite = (await rig.accounts.invite(ROOT, "new@example.org", Role.DEVELOPER)).partition("token=")[2]
    await rig.sso.rules.require(ROOT, is_required=True)
    for password in (PASSWORD, "wrong password"):
        assert await refused(rig.accounts.sign_in("root@example.org", password, BROWSER)) == "sso_required"
    assert await refused(rig.accounts.reset_by_link(reset, PASSWORD, BROWSER)) == "sso_required"
    assert await refused(rig.accounts.accept_invite(invite, PASSWORD, BROWSER)) == "sso_required"
    assert (await rig.come_in()).signed_in is not None
    assert await refused(rig.sso.switch(ROOT, "work", is_enabled=False)) == "last_way_in"
    assert await refused(rig.sso.remove(ROOT, "work")) == "last_way_in"
    await rig.sso.rules.set_break_glass(ROOT, "root@example.org")
    assert (await rig.accounts.sign_in("root@example.org", PASSWORD, BROWSER)).person.user_id == root.user_id
    assert await refused(rig.accounts.sign_in("root@example.org", "wrong password", BROWSER)) == "sso_required"
    await rig.accounts.create_user(ROOT, "other@example.org", PASSWORD, Role.ADMIN)
    await rig.accounts.set_role(ROOT, "root@example.org", Role.DEVELOPER)
    assert await refused(rig.accounts.sign_in("root@example.org", PASSWORD, BROWSER)) == "sso_required"
    await rig.sso.rules.require(ROOT, is_required=False)
    assert {"sso.require", "sso.break_glass"} <= set(await acts(rig))


@pytest.mark.long
async def test_only_the_machine_says_whose_password_works_all_the_same(rig: SsoRig) -> None:
    admin = await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    assert await refused(rig.sso.rules.set_break_glass(admin, "root@example.org")) == "owner_only"
    await rig.accounts.create_user(ROOT, "dev@example.org", PASSWORD, Role.DEVELOPER)
    assert await refused(rig.sso.rules.set_break_glass(ROOT, "dev@example.org")) == "not_an_admin"


@pytest.mark.long
async def test_who_was_unlinked_is_known_by_the_address_again(rig: SsoRig) -> None:
    await rig.come_in()
    await rig.sso.rules.unlink(ROOT, "ada@example.org")
    assert await count(rig, SsoIdentity) == 0
    assert not (await rig.come_in()).is_new


# Saying again who one is, leaving, trying


async def confirmed(rig: SsoRig, person: Person) -> str:
    begun = await rig.sso.sign_in.begin("work", "/", "confirm", person)
    assert "prompt=login" in begun.location
    back = await rig.come_back(begun.cookie, rig.there.allow(begun.location), person=person)
    return back.purpose


@pytest.mark.long
async def test_somebody_without_a_password_says_again_who_they_are_at_the_provider(rig: SsoRig) -> None:
    back = await rig.come_in()
    assert back.signed_in is not None
    me = back.signed_in.person
    assert await confirmed(rig, me) == "confirm"
    async with rig.db.read() as session:
        row = await session.get(PortalSession, me.session_hash)
        assert row is not None
        assert row.confirmed_us is not None
    rig.there.twist_claims = lambda claims: {**claims, "auth_time": time.time() - 3600}
    assert await refused(confirmed(rig, me)) == "sso_not_fresh"
    rig.there.twist_claims = lambda claims: {**claims, "sub": "somebody-else"}
    assert await refused(confirmed(rig, me)) == "sso_other_person"


@pytest.mark.long
async def test_a_session_that_the_provider_opened_ends_there_too(rig: SsoRig) -> None:
    back = await rig.come_in()
    assert back.signed_in is not None
    leaving = await rig.sso.sign_in.leaving.begin(back.signed_in.cookie)
    assert leaving is not None
    assert leaving.location == "/auth/sso/work/leave"
    where = await rig.sso.sign_in.leaving.leave("work", leaving.cookie)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
    assert asked["post_logout_redirect_uri"] == f"{PUBLIC_URL}/sign-in"
    assert asked["id_token_hint"].count(".") == 2
    assert await refused(rig.sso.sign_in.leaving.leave("work", leaving.cookie)) == "sso_expired"
    assert await count(rig, SsoSession) == 0


@pytest.mark.long
async def test_what_is_kept_of_an_id_token_is_sealed(rig: SsoRig) -> None:
    back = await rig.come_in()
    assert back.signed_in is not None
    async with rig.db.read() as session:
        kept = await session.get(SsoSession, hash_of(back.signed_in.cookie))
    assert kept is not None
    assert b"eyJ" not in kept.id_token


@pytest.mark.long
async def test_a_password_session_is_left_here_alone(rig: SsoRig) -> None:
    await rig.accounts.create_user(ROOT, "ada@example.org", PASSWORD, Role.ADMIN)
    signed_in = await rig.accounts.sign_in("ada@example.org", PASSWORD, BROWSER)
    assert await rig.sso.sign_in.leaving.begin(signed_in.cookie) is None


@pytest.mark.long
async def test_a_test_shows_what_came_and_signs_nobody_in(rig: SsoRig) -> None:
    admin = await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    await rig.sso.switch(ROOT, "work", is_enabled=False)
    begun = await rig.sso.sign_in.begin("work", "/", "test", admin)
    back = await rig.come_back(begun.cookie, rig.there.allow(begun.location), person=admin)
    assert back.signed_in is None
    tried = (await rig.sso.find(ROOT, "work")).tried
    assert '"email":"ada@example.org"' in tried
    assert "A new account would be made" in tried
    assert (await count(rig, User), await count(rig, PortalSession)) == (1, 0)


@pytest.mark.long
async def test_a_test_that_fails_says_why(rig: SsoRig) -> None:
    admin = await rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    rig.there.who = {"sub": "ada-1", "email": "ada@example.org"}
    begun = await rig.sso.sign_in.begin("work", "/", "test", admin)
    await rig.come_back(begun.cookie, rig.there.allow(begun.location), person=admin)
    tried = (await rig.sso.find(ROOT, "work")).tried
    assert '"code":"sso_email_unverified"' in tried
    assert '"sub":"ada-1"' in tried


@pytest.mark.long
async def test_a_provider_that_is_off_lets_nobody_in(rig: SsoRig) -> None:
    begun = await rig.sso.sign_in.begin("work", "/")
    await rig.sso.switch(ROOT, "work", is_enabled=False)
    assert await refused(rig.sso.sign_in.begin("work", "/")) == "sso_provider_not_found"
    assert await refused(rig.come_back(begun.cookie, rig.there.allow(begun.location))) == "sso_provider_not_found"
