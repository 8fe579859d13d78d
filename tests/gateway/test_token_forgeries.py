"""What no forger gets past the door: every way that tokens of others were broken in the past, through HTTP."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from aiservice.kit import access_tokens
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.services import token_keys
from tests.gateway.asgi import call
from tests.gateway.conftest import Gateway
from tests.gateway.forging import REQUIRED, Forger, of_another_key, opened, segment
from tests.gateway.test_tokens import token_of

Forge = Callable[[Forger, str], str]
_FAR = 10**11

# Each is refused with the same words as any other key that is none.
_HEADERS: dict[str, Forge] = {
    "alg none": lambda f, good: f"{segment({**f.header, 'alg': 'none'})}.{good.split('.')[1]}.AA",
    "alg None": lambda f, good: f.headed(alg="None"),
    "alg NONE": lambda f, good: f.headed(alg="NONE"),
    "alg none without a signature": lambda f, good: f"{segment({**f.header, 'alg': 'none'})}.{good.split('.')[1]}.",
    "empty signature": lambda f, good: good.rpartition(".")[0] + ".",
    "no signature at all": lambda f, good: good.rpartition(".")[0],
    "HS256 with the public key as PEM": lambda f, good: f.with_mac("HS256", f.public_pem()),
    "HS256 with the public key as JWK": lambda f, good: f.with_mac("HS256", json.dumps(f.key.public).encode()),
    "HS256 with the bytes of the public key": lambda f, good: f.with_mac("HS256", f.key.public["x"].encode()),
    "RS256 with our kid": lambda f, good: f.headed(alg="RS256"),
    "ES256 with our kid": lambda f, good: f.headed(alg="ES256"),
    "Ed25519, its other name": lambda f, good: f.headed(alg="Ed25519"),
    "alg that is no text": lambda f, good: f.headed(alg=["EdDSA"]),
    "typ JWT": lambda f, good: f.headed(typ="JWT"),
    "typ in capitals": lambda f, good: f.headed(typ="AT+JWT"),
    "no typ": lambda f, good: f.signed({k: v for k, v in f.header.items() if k != "typ"}, f.claims),
    "unknown kid": lambda f, good: f.headed(kid="2026-01-ffffffff"),
    "kid that walks": lambda f, good: f.headed(kid="../../../etc/passwd"),
    "kid with SQL": lambda f, good: f.headed(kid="' OR 1=1 --"),
    "kid that is no text": lambda f, good: f.headed(kid=0),
    "no kid": lambda f, good: f.signed({k: v for k, v in f.header.items() if k != "kid"}, f.claims),
    "jwk in the header": lambda f, good: f.headed(jwk=f.key.public),
    "jku in the header": lambda f, good: f.headed(jku="https://evil.example/jwks.json"),
    "x5u in the header": lambda f, good: f.headed(x5u="https://evil.example/cert"),
    "x5c in the header": lambda f, good: f.headed(x5c=["AAAA"]),
    "unknown crit": lambda f, good: f.headed(crit=["evil"], evil=True),
    "known crit": lambda f, good: f.headed(crit=["b64"], b64=True),
    "b64 false": lambda f, good: f.headed(b64=False, crit=["b64"]),
    "header names alg twice": lambda f, good: f.signed(json.dumps(f.header)[:-1] + ', "alg": "EdDSA"}', f.claims),
    "header that is nested deeply": lambda f, good: f"{segment('[' * 900 + ']' * 900)}.{good.split('.')[1]}.AAAA",
    "header that is no object": lambda f, good: f.signed('["alg"]', f.claims),
    "header that is no JSON": lambda f, good: f.signed("{alg:EdDSA}", f.claims),
    "two megabytes": lambda f, good: f"{good}{'A' * 2_000_000}",
    "over four KiB": lambda f, good: f.saying(metadata={"a": "x" * 3000, "b": "y" * 1000}),
    "trailing garbage": lambda f, good: good + "A",
    "trailing padding": lambda f, good: good + "==",
    "a fourth part": lambda f, good: good + ".AAAA",
    "a line break inside": lambda f, good: good[:-5] + "\n" + good[-5:],
    "signature in another form of base64": lambda f, good: good[:-1] + chr(ord(good[-1]) + 1),
    "signed by somebody else": lambda f, good: of_another_key(f.claims, f.header),
    "another payload under the signature": lambda f, good: (
        f"{good.split('.')[0]}.{segment({**f.claims, 'scope': '*'})}.{good.split('.')[2]}"
    ),
}
_CLAIMS: dict[str, Forge] = {
    **{f"no {name}": lambda f, good, name=name: f.saying(**{name: ...}) for name in REQUIRED},  # type: ignore[misc]
    "exp as text": lambda f, good: f.saying(exp=str(f.claims["exp"])),
    "exp as fraction": lambda f, good: f.saying(exp=float(f.claims["exp"])),
    "exp as truth": lambda f, good: f.saying(exp=True),
    "exp of 1e300": lambda f, good: f.signed(
        f.header, json.dumps({**f.claims, "exp": 1}).replace('"exp": 1', '"exp": 1e300')
    ),
    "exp of NaN": lambda f, good: f.signed(f.header, json.dumps({**f.claims, "exp": float("nan")})),
    "exp far away": lambda f, good: f.saying(exp=_FAR),
    "exp over 15 minutes": lambda f, good: f.saying(exp=f.claims["iat"] + 901),
    "negative exp": lambda f, good: f.saying(exp=-1),
    "negative iat": lambda f, good: f.saying(iat=-5, nbf=-5),
    "nbf in the future": lambda f, good: f.saying(nbf=int(time.time()) + 600),
    "iat in the future": lambda f, good: f.saying(iat=int(time.time()) + 600, exp=int(time.time()) + 900),
    "ver as text": lambda f, good: f.saying(ver="1"),
    "wrong aud": lambda f, good: f.saying(aud="portal"),
    "aud as a list with ours and another": lambda f, good: f.saying(aud=["aiservice", "other"]),
    "aud as a list with ours": lambda f, good: f.saying(aud=["aiservice"]),
    "wrong iss": lambda f, good: f.saying(iss="https://evil.example"),
    "sub that is no text": lambda f, good: f.saying(sub=5),
    "sub of nobody": lambda f, good: f.saying(sub="A" * 12),
    "another tenant": lambda f, good: f.saying(tid="cli_0000"),
    "a claim we do not make": lambda f, good: f.saying(admin=True),
    "a claim twice": lambda f, good: f.signed(f.header, json.dumps(f.claims)[:-1] + ', "scope": "*"}'),
    "metadata that is no object": lambda f, good: f.saying(metadata="x"),
    "payload that is no object": lambda f, good: f.signed(f.header, '"x"'),
    "payload that is nested deeply": lambda f, good: f.signed(f.header, "[" * 900 + "]" * 900),
    "payload that is no UTF-8": lambda f, good: f.signed(f.header, "\ufeff" + json.dumps(f.claims)),
}


@pytest.mark.sqlite_only("nothing of it reaches a database")
@pytest.mark.parametrize("name", [*_HEADERS, *_CLAIMS])
async def test_t13_no_forged_token_is_taken(sandboxed: Gateway, name: str) -> None:
    good = await token_of(sandboxed)
    forged = (_HEADERS | _CLAIMS)[name](Forger(sandboxed.core.tokens, good), good)
    reply = await call(sandboxed.app, "GET", "/v1/models", headers=[(b"x-api-key", forged.encode())])
    if len(forged) > 16 << 10:
        assert reply.status == 431
        return
    assert (reply.status, reply.code) == (401, "invalid_api_key"), reply.body
    assert (await sandboxed.get("/v1/models", key=good)).status == 200
    assert sandboxed.core.keys.cached(forged.encode()) is None


async def test_t13_the_same_hand_makes_good_tokens(sandboxed: Gateway) -> None:
    """Else the refusals above might be about something else."""
    good = await token_of(sandboxed)
    forger = Forger(sandboxed.core.tokens, good)
    for token in (forger.saying(), forger.headed(), forger.saying(metadata={"a": "b"}), forger.saying(scope="read")):
        assert (await sandboxed.get("/v1/models", key=token)).status == 200


@pytest.mark.parametrize(("seconds", "status"), [(31, 401), (28, 200), (0, 200)])
async def test_t13_a_token_is_over_thirty_seconds_after_its_end(sandboxed: Gateway, seconds: int, status: int) -> None:
    now = int(time.time())
    forger = Forger(sandboxed.core.tokens, await token_of(sandboxed))
    token = forger.saying(iat=now - 300, nbf=now - 300, exp=now - seconds)
    reply = await sandboxed.get("/v1/models", key=token)
    assert reply.status == status
    if status == 401:
        assert reply.code == "key_expired"


@pytest.mark.parametrize(("seconds", "status"), [(33, 401), (28, 200)])
async def test_t13_a_token_begins_thirty_seconds_early(sandboxed: Gateway, seconds: int, status: int) -> None:
    now = int(time.time())
    forger = Forger(sandboxed.core.tokens, await token_of(sandboxed))
    token = forger.saying(iat=now + seconds, nbf=now + seconds, exp=now + 300)
    assert (await sandboxed.get("/v1/models", key=token)).status == status


async def test_t13_a_token_of_a_retired_key_is_refused(sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = sandboxed.core.tokens.keys
    old = Forger(sandboxed.core.tokens, await token_of(sandboxed))
    successor = max(known.signs_from_us for known in keys._keys.values())
    for after_us, status in ((60 * SECOND_US, 200), (token_keys.KEPT_US - SECOND_US, 200), (token_keys.KEPT_US, 401)):
        now = successor + after_us
        with monkeypatch.context() as patched:
            patched.setattr(token_keys, "now_us", lambda now=now: now)
            assert keys.signing().kid != old.key.kid
            assert (await sandboxed.get("/v1/models", key=old.saying())).status == status


@pytest.mark.sqlite_only("nothing of it reaches a database")
async def test_t13_five_thousand_bits_flipped_and_ends_cut_off(sandboxed: Gateway, seed: int) -> None:
    good = (await token_of(sandboxed)).encode()
    chance = random.Random(seed)
    tokens = sandboxed.core.tokens
    for number in range(5_000):
        changed = bytearray(good)
        if number % 2:
            changed[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        else:
            del changed[chance.randrange(len(good)) :]
        with pytest.raises(access_tokens.BadToken):
            access_tokens.verify_access_token(bytes(changed), tokens.keys.key_of, "aiservice", time.time())


@pytest.mark.sqlite_only("nothing of it reaches a database")
async def test_t14_ten_thousand_unknown_kids_ask_nobody(sandboxed: Gateway, seed: int) -> None:
    good = await token_of(sandboxed)
    forger = Forger(sandboxed.core.tokens, good)
    statements: list[str] = []
    engine = sandboxed.core.db.engine.sync_engine

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "change" not in statement and "usage" not in statement and "rollup" not in statement:
            statements.append(statement)

    chance = random.Random(seed)
    tail = good.partition(".")[2]
    event.listen(engine, "before_cursor_execute", note)
    try:
        for _ in range(10_000):
            kid = "".join(chance.choices("abcdef0123456789-", k=chance.randrange(1, 33)))
            token = f"{segment({**forger.header, 'kid': kid})}.{tail}"
            reply = await call(sandboxed.app, "GET", "/v1/models", headers=[(b"x-api-key", token.encode())])
            assert reply.status == 401
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert statements == []
    assert (await sandboxed.get("/v1/models", key=await token_of(sandboxed))).status == 200


async def test_t11_forging_signatures_from_one_address_is_stopped(sandboxed: Gateway) -> None:
    forger = Forger(sandboxed.core.tokens, await token_of(sandboxed))
    used = await token_of(sandboxed)
    guesser = ("203.0.113.9", 1)
    assert (await sandboxed.get("/v1/models", key=used, client=guesser)).status == 200
    forged = [of_another_key({**forger.claims, "jti": str(n)}, forger.header) for n in range(30)]
    statuses = [(await sandboxed.get("/v1/models", key=token, client=guesser)).status for token in forged]
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 429
    assert (await sandboxed.get("/v1/models", key=used, client=guesser)).status == 200, "a token in use is no guess"
    assert (await sandboxed.get("/v1/models", key=forger.saying())).status == 200, "others are not held up"


async def test_t05_tokens_with_equal_heads_are_two_callers(sandboxed: Gateway) -> None:
    first, second = await token_of(sandboxed), await token_of(sandboxed, await sandboxed.new_key())
    assert first[:60] == second[:60]
    seen = [(await sandboxed.get("/ai-service/usage", key=token)).json()["key_id"] for token in (first, second, first)]
    assert seen[0] != seen[1]
    assert seen[0] == seen[2]


async def test_t16_a_token_holds_ids_and_times_and_no_secret(sandboxed: Gateway) -> None:
    token = await token_of(sandboxed, metadata={"job": "nightly"})
    claims = opened(token)
    assert claims.keys() == {*REQUIRED, "metadata"}
    assert opened(token, 0).keys() == {"alg", "kid", "typ"}
    assert claims["iss"] == "aiservice"
    assert claims["exp"] - claims["iat"] <= 900
    assert abs(claims["iat"] * SECOND_US - now_us()) < 5 * SECOND_US
    said: list[Any] = [*claims.values(), *claims["metadata"].values()]
    secret = sandboxed.key[22:]
    assert not any(secret[at : at + 16] in str(value) for value in said for at in range(len(secret) - 15))


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [("key", "key", 200), ("token", "token", 200), ("key", "token", 400), ("token", "key", 400), ("token", "x", 400)],
)
@pytest.mark.parametrize(
    "names", [("x-api-key", "authorization"), ("x-goog-api-key", "x-api-key"), ("authorization",) * 2]
)
async def test_t08_a_request_has_exactly_one_credential(
    sandboxed: Gateway, first: str, second: str, status: int, names: tuple[str, str]
) -> None:
    values = {"key": sandboxed.key, "token": await token_of(sandboxed), "x": "other"}
    headers = [
        (name.encode(), (b"Bearer " if name == "authorization" else b"") + values[value].encode())
        for name, value in zip(names, (first, second), strict=True)
    ]
    reply = await call(sandboxed.app, "GET", "/v1/models", headers=headers)
    assert reply.status == status
    if status == 400:
        assert reply.code == "conflicting_credentials"
