"""Passkeys, against an authenticator in software: what is right passes, what is bent in one way does not."""

import dataclasses
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit import passkeys
from aiservice.kit.passkeys import BadPasskey, Site
from tests.services.authenticator import UP, Authenticator, b64

SITE = Site("portal.test", "https://portal.test")
CHALLENGE = b"c" * 32
ASKED = {"challenge": b64(CHALLENGE)}


@pytest.fixture(scope="module")
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture(scope="module")
def made(device: Authenticator) -> passkeys.NewPasskey:
    return passkeys.verify_new(device.create(ASKED), SITE, CHALLENGE)


def use(
    device: Authenticator, made: passkeys.NewPasskey, *, is_alone: bool = True, challenge: bytes = CHALLENGE
) -> int:
    claim = passkeys.claim_of(device.get(ASKED))
    return passkeys.verify_use(claim, SITE, challenge, made.public_key, is_alone=is_alone)


def test_a_passkey_is_made_and_used(device: Authenticator, made: passkeys.NewPasskey) -> None:
    assert made.credential_id == b64(device.credential_id)
    assert use(device, made) == 0


def test_the_options_ask_for_a_passkey_that_finds_its_person_and_asks_who_is_there() -> None:
    known = b64(b"known")
    options = passkeys.creation_options(SITE, CHALLENGE, user_id="usr_1", email="ada@example.org", known_ids=[known])
    assert options["rp"] == {"name": "aiservice", "id": "portal.test"}
    assert options["user"]["id"] == b64(b"usr_1")
    assert options["challenge"] == b64(CHALLENGE)
    chosen = options["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"], chosen["requireResidentKey"]) == (
        "required", "required", True,
    )  # fmt: skip
    assert [each["id"] for each in options["excludeCredentials"]] == [known]
    assert options["attestation"] == "none"


@pytest.mark.parametrize("is_alone", [True, False])
def test_only_a_passkey_that_stands_alone_must_ask_who_is_there(is_alone: bool) -> None:
    options = passkeys.request_options(SITE, CHALLENGE, known_ids=[], is_alone=is_alone)
    assert options["userVerification"] == ("required" if is_alone else "preferred")
    assert options["rpId"] == "portal.test"


BENT: list[dict[str, Any]] = [
    {"origin": "https://evil.test"}, {"origin": "http://portal.test"}, {"rp_id": "evil.test"}, {"flags": 0},
    {"flags": UP},
]  # fmt: skip


@pytest.mark.parametrize("bent", BENT)
def test_what_is_bent_makes_no_passkey_and_uses_none(
    device: Authenticator, made: passkeys.NewPasskey, bent: dict[str, Any]
) -> None:
    wrong = dataclasses.replace(device, **bent)
    with pytest.raises(BadPasskey):
        passkeys.verify_new(wrong.create(ASKED), SITE, CHALLENGE)
    with pytest.raises(BadPasskey):
        use(wrong, made)


def test_another_challenge_or_another_key_proves_nothing(device: Authenticator, made: passkeys.NewPasskey) -> None:
    with pytest.raises(BadPasskey):
        use(device, made, challenge=b"d" * 32)
    with pytest.raises(BadPasskey):
        use(Authenticator(credential_id=device.credential_id), made)
    with pytest.raises(BadPasskey):
        passkeys.verify_new(device.create(ASKED), SITE, b"d" * 32)


def test_behind_a_password_it_is_enough_that_somebody_touched_it(
    device: Authenticator, made: passkeys.NewPasskey
) -> None:
    touched = dataclasses.replace(device, flags=UP)
    assert use(touched, made, is_alone=False) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=60).map(b64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_whatever_a_browser_sends_is_refused_in_one_way(data: st.DataObject) -> None:
    device = Authenticator()
    right = json.loads(data.draw(st.sampled_from([device.create(ASKED), device.get(ASKED)])))
    inner = right["response"]
    where = data.draw(st.sampled_from([right, inner]))
    where[data.draw(st.sampled_from(sorted(where)))] = data.draw(JSON)
    text = data.draw(st.sampled_from([json.dumps(right), json.dumps(data.draw(JSON)), data.draw(st.text(max_size=50))]))
    for check in (
        lambda: passkeys.verify_new(text, SITE, CHALLENGE),
        lambda: passkeys.verify_use(passkeys.claim_of(text), SITE, CHALLENGE, b"\xa1\x01\x02", is_alone=True),
    ):
        with suppress(BadPasskey):
            check()


@given(st.binary(max_size=200), st.integers(0, 120))
def test_broken_bytes_inside_a_right_answer_are_refused_in_one_way(noise: bytes, at: int) -> None:
    device = Authenticator()
    for answer in (device.create(ASKED), device.get(ASKED)):
        read = json.loads(answer)
        for name, value in read["response"].items():
            bent = json.dumps(
                {**read, "response": {**read["response"], name: value[:at] + b64(noise) + value[at + 8 :]}}
            )
            with suppress(BadPasskey):
                passkeys.verify_new(bent, SITE, CHALLENGE)
            with suppress(BadPasskey):
                passkeys.verify_use(passkeys.claim_of(bent), SITE, CHALLENGE, noise or b"\0", is_alone=False)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 14_000, '{"id": ""}', '{"id": 7}', "x" * 20_000])
def test_what_names_no_passkey(text: str) -> None:
    with pytest.raises(BadPasskey):
        passkeys.claim_of(text)
