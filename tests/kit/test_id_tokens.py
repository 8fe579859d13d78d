"""ID tokens: what is taken for one, and every way in which one is not."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from aiservice.kit.id_tokens import BadIdToken, Expected, keys_of, verify_id_token
from tests.services.oidc import ALL, forged_with_hmac, new_key, public, signed

NOW = 1_800_000_000
KEYS = {name: new_key(name, f"kid-{name}") for name in ("RS256", "ES256", "EdDSA")}
PUBLISHED = keys_of({"keys": [public(key, name) for name, key in KEYS.items()]})
WANTED = Expected("https://id.example", "broker", "n-1")
GOOD = {"iss": "https://id.example", "aud": "broker", "sub": "s", "nonce": "n-1", "iat": NOW, "exp": NOW + 300}


def why(token: str, now: float = NOW) -> str:
    with pytest.raises(BadIdToken) as refused:
        verify_id_token(token, PUBLISHED, WANTED, now)
    return refused.value.why


def es256(**changes: Any) -> str:
    claims = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return signed(KEYS["ES256"], "ES256", claims)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_each_of_three_algorithms_is_taken_with_its_own_kind_of_key(algorithm: str) -> None:
    token = signed(KEYS[algorithm], algorithm, GOOD)
    assert verify_id_token(token, PUBLISHED, WANTED, NOW) == GOOD


def test_a_token_without_a_signature_is_none() -> None:
    head, body, _ = signed(KEYS["ES256"], "ES256", GOOD).split(".")
    none = signed(OctKey.import_key("x" * 32), "none", GOOD)
    assert none.endswith(".")
    assert why(none) == "form"
    assert why(f"{none}AA") == "algorithm"
    assert why(f"{head}.{body}.") == "form"


def test_a_public_key_is_never_taken_for_a_shared_secret() -> None:
    pem = KEYS["RS256"].as_pem(private=False)
    assert why(forged_with_hmac(pem, GOOD, kid="kid-RS256")) == "algorithm"


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
def test_other_algorithms_of_a_known_key_are_refused(algorithm: str) -> None:
    assert why(signed(KEYS["RS256"], algorithm, GOOD)) == "algorithm"


def test_a_key_of_one_algorithm_signs_with_no_other() -> None:
    assert why(signed(KEYS["ES256"], "ES256", GOOD, kid="kid-RS256")) == "key"
    assert why(signed(new_key("ES256", "kid-ES256"), "ES256", GOOD)) == "signature"


def test_without_a_key_id_it_must_be_plain_which_key_is_meant() -> None:
    assert verify_id_token(signed(KEYS["ES256"], "ES256", GOOD, kid=None), PUBLISHED, WANTED, NOW) == GOOD
    two = keys_of({"keys": [public(KEYS["ES256"], "ES256"), public(new_key("ES256", "b"), "ES256")]})
    with pytest.raises(BadIdToken):
        verify_id_token(signed(KEYS["ES256"], "ES256", GOOD, kid=None), two, WANTED, NOW)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://id.example/"}, "issuer"), ({"iss": None}, "issuer"),
        ({"aud": "another"}, "audience"), ({"aud": []}, "audience"), ({"aud": None}, "audience"),
        ({"aud": ["broker", "another"]}, "audience"), ({"aud": ["broker", "another"], "azp": "another"}, "audience"),
        ({"azp": "another"}, "audience"),
        ({"nonce": "n-2"}, "nonce"), ({"nonce": None}, "nonce"), ({"nonce": 1}, "nonce"),
        ({"sub": ""}, "subject"), ({"sub": None}, "subject"), ({"sub": "x" * 256}, "subject"),
        ({"exp": None}, "form"), ({"iat": None}, "form"), ({"iat": True}, "form"), ({"exp": "soon"}, "form"),
        ({"exp": NOW - 60}, "expired"), ({"iat": NOW - 661}, "expired"),
        ({"iat": NOW + 61}, "early"), ({"nbf": NOW + 61}, "early"),
    ],
)  # fmt: skip
def test_a_claim_that_does_not_fit_is_named(changes: dict[str, Any], reason: str) -> None:
    assert why(es256(**changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 59}, {"iat": NOW + 60}, {"nbf": NOW + 60}, {"iat": NOW - 660}, {"aud": ["broker"]},
        {"aud": ["broker", "another"], "azp": "broker"}, {"exp": NOW + 0.5},
    ],
)  # fmt: skip
def test_clocks_may_be_sixty_seconds_apart(changes: dict[str, Any]) -> None:
    assert verify_id_token(es256(**changes), PUBLISHED, WANTED, NOW)["sub"] == "s"


def test_a_claim_that_is_there_twice_is_refused() -> None:
    text = json.dumps(GOOD)[:-1] + ', "sub": "admin"}'
    token = jws.serialize_compact({"alg": "ES256", "kid": "kid-ES256"}, text, KEYS["ES256"], registry=ALL)
    assert why(token) == "form"


def test_keys_that_are_too_short_or_for_something_else_are_passed_over() -> None:
    short = RSAKey.generate_key(1024, {"kid": "short"})
    private = KEYS["RS256"].as_dict(private=True)
    odd = [
        public(short, "RS256"), {**public(KEYS["ES256"], "ES256"), "use": "enc"}, private, {"kty": "oct", "k": "AA"},
        {**public(KEYS["ES256"], "ES256"), "alg": "HS256"}, {**public(KEYS["EdDSA"], "EdDSA"), "crv": "X25519"},
        {**public(KEYS["ES256"], "ES256"), "x": "AA"}, {}, 7,
    ]  # fmt: skip
    assert keys_of({"keys": odd}) == ()


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": [{}] * 101}])
def test_what_is_no_key_set_is_said_to_be_none(document: Any) -> None:
    with pytest.raises(ValueError, match="JWK"):
        keys_of(document)


@given(st.one_of(st.text(), st.lists(st.text("ABCxyz012_-", max_size=40), min_size=3, max_size=3).map(".".join)))
def test_whatever_text_comes_is_refused_in_our_words(token: str) -> None:
    why(token, time.time())


@pytest.mark.long
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=8) | st.integers(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(st.sampled_from(["keys", "kty", "kid", "crv", "x", "y", "n", "e", "alg", "use"]), each)
        ),
        max_leaves=20,
    )
)
def test_whatever_document_comes_is_keys_or_no_key_set(document: Any) -> None:
    try:
        keys_of(document)
    except ValueError as refused:
        assert "JWK" in str(refused)
