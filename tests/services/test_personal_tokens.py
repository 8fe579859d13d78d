"""Access tokens of people: what they are good for, and when no more."""

from dataclasses import replace

import pytest

from aiservice.errors import NotFound, PermissionDenied, RateLimited, Unauthenticated, Unprocessable
from aiservice.kit import keyformat
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services import personal_tokens
from aiservice.services.failure_limiter import PER_ADDRESS, FailureLimiter
from aiservice.services.personal_tokens import PersonalTokens
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.people import set_disabled, set_role
from aiservice.store.personal_tokens import revoke_all
from aiservice.store.session import Database
from tests.services.cast import person

HERE = "192.0.2.1"


@pytest.fixture
async def tokens(database: Database, settings: Settings) -> PersonalTokens:
    vault = Vault(database, settings)
    await vault.open()
    return PersonalTokens(database, vault, FailureLimiter())


async def made(tokens: PersonalTokens, who: Person, days: int = 90) -> str:
    new = await tokens.create(OPERATOR, "ci", may_write=True, owner=who.email, days=days)
    return new.token.reveal_text()


async def test_acts_with_its_persons_own_rights(tokens: PersonalTokens, database: Database) -> None:
    dan = await person(database, "dan@example.org")
    text = await made(tokens, dan)
    found = await tokens.verify(text, HERE)
    assert (found.person.user_id, found.person.role, found.may_write) == (dan.user_id, Role.DEVELOPER, True)
    async with database.write() as session:
        await set_role(session, dan.user_id, Role.ADMIN)
    assert (await tokens.verify(text, HERE)).person.is_admin


async def test_ends_when_it_is_revoked_and_only_its_person_or_an_admin_may(
    tokens: PersonalTokens, database: Database
) -> None:
    dan, eve = [await person(database, f"{name}@example.org") for name in ("dan", "eve")]
    text = await made(tokens, dan)
    token_id = (await tokens.list(dan))[0].id
    with pytest.raises(NotFound):
        await tokens.revoke(eve, token_id)
    await tokens.revoke(dan, token_id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await tokens.verify(text, HERE)


async def test_expires(tokens: PersonalTokens, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    text = await made(tokens, await person(database, "dan@example.org"), days=1)
    monkeypatch.setattr(personal_tokens, "now_us", lambda: now_us() + DAY_US)
    with pytest.raises(Unauthenticated, match="expired"):
        await tokens.verify(text, HERE)


async def test_a_disabled_persons_token_opens_nothing(tokens: PersonalTokens, database: Database) -> None:
    dan = await person(database, "dan@example.org")
    text = await made(tokens, dan)
    async with database.write() as session:
        await set_disabled(session, dan.user_id, True)
    with pytest.raises(PermissionDenied):
        await tokens.verify(text, HERE)


async def test_a_wrong_secret_is_told_what_an_unknown_token_is_told(tokens: PersonalTokens, database: Database) -> None:
    text = await made(tokens, await person(database, "dan@example.org"))
    body = text[:-7] + ("a" if text[-7] != "a" else "b")
    forged = body + keyformat.checksum(body)
    for guess in (forged, keyformat.mint_personal().text.reveal_text()):
        with pytest.raises(Unauthenticated) as refusal:
            await tokens.verify(guess, HERE)
        assert refusal.value.code == "invalid_token"


async def test_guessing_is_slowed_down_and_junk_costs_no_query(tokens: PersonalTokens) -> None:
    for _ in range(PER_ADDRESS * 2):
        with pytest.raises(Unauthenticated):
            await tokens.verify("ais_pat_junk", HERE)
    for _ in range(PER_ADDRESS):
        with pytest.raises(Unauthenticated):
            await tokens.verify(keyformat.mint_personal().text.reveal_text(), HERE)
    with pytest.raises(RateLimited):
        await tokens.verify(keyformat.mint_personal().text.reveal_text(), HERE)


async def test_no_token_makes_a_token_and_nobody_makes_anothers(tokens: PersonalTokens, database: Database) -> None:
    dan, ada = await person(database, "dan@example.org"), await person(database, "ada@example.org", Role.ADMIN)
    with pytest.raises(PermissionDenied) as by_token:
        await tokens.create(replace(dan, token_id="pat_1"), "more", may_write=True)
    with pytest.raises(PermissionDenied) as of_another:
        await tokens.create(ada, "his", may_write=True, owner=dan.email)
    assert (by_token.value.code, of_another.value.code) == ("not_by_token", "not_your_token")


async def test_making_one_in_the_portal_asks_for_the_password(tokens: PersonalTokens, database: Database) -> None:
    dan = await person(database, "dan@example.org")
    with pytest.raises(PermissionDenied) as refusal:
        await tokens.create(replace(dan, session_hash="0" * 64), "ci", may_write=False)
    assert refusal.value.code == "step_up_required"


async def test_notes_when_and_where_it_was_used(tokens: PersonalTokens, database: Database) -> None:
    dan = await person(database, "dan@example.org")
    text = await made(tokens, dan)
    await tokens.verify(text, HERE)
    seen = (await tokens.list(dan))[0]
    assert (seen.last_address, seen.state) == (HERE, "active")
    assert abs((seen.last_used_us or 0) - now_us()) < 10_000_000


async def test_keeps_no_text_of_it(tokens: PersonalTokens, database: Database) -> None:
    dan = await person(database, "dan@example.org")
    text = await made(tokens, dan)
    assert text not in repr(await tokens.list(dan))
    assert keyformat.holds_key(text)


@pytest.mark.parametrize("days", [0, 366])
async def test_is_good_for_a_day_to_a_year(tokens: PersonalTokens, database: Database, days: int) -> None:
    with pytest.raises(Unprocessable):
        await made(tokens, await person(database, "dan@example.org"), days=days)


async def test_all_of_a_person_end_together(tokens: PersonalTokens, database: Database) -> None:
    dan, eve = [await person(database, f"{name}@example.org") for name in ("dan", "eve")]
    mine, hers = await made(tokens, dan), await made(tokens, eve)
    async with database.write() as session:
        await revoke_all(session, dan.user_id, now_us())
    assert (await tokens.verify(hers, HERE)).person.email == eve.email
    with pytest.raises(Unauthenticated):
        await tokens.verify(mine, HERE)
