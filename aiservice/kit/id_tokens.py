"""ID tokens of somebody else who knows our people (OpenID Connect Core 1.0 §3.1.3.7), and the keys that signed them.

Three algorithms, each with the one kind of key it goes with: a token cannot choose "none", nor have a public key taken
for a shared secret (RFC 8725 §2.1). Claims are read after the signature and by our own rules, as those of our own
tokens are (`access_tokens.py`).
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

MAX_BYTES = 64 * 1024
LEEWAY_SECONDS = 60
MAX_AGE_SECONDS = 600
"""How long ago it may have been made: it came this minute, and Entra ID dates its tokens five minutes back."""
MAX_KEYS = 100
_MIN_RSA_BITS = 2048
_KINDS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
ALGORITHMS = frozenset(_KINDS)
_is_segment = re.compile(rb"[A-Za-z0-9_-]+").fullmatch

Why = Literal["form", "algorithm", "key", "signature", "issuer", "audience", "nonce", "subject", "expired", "early"]


class BadIdToken(Exception):
    """Not a token that says who is there. `why` is one word; the message is for an admin and holds nothing of it."""

    def __init__(self, why: Why, message: str) -> None:
        self.why: Why = why
        super().__init__(message)


@dataclass(slots=True, frozen=True)
class VerifyingKey:
    """A public key and the one algorithm it is for."""

    kid: str | None
    algorithm: str
    key: Any = field(repr=False)


@dataclass(slots=True, frozen=True)
class Expected:
    """What a token must say: who made it, for whom, and for which sign-in."""

    issuer: str
    audience: str
    nonce: str


def keys_of(document: Any) -> tuple[VerifyingKey, ...]:
    """The keys of a JWK set (RFC 7517) that we can use; others are passed over, as §5 there says.

    Raises:
        ValueError: it is no key set.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError("not a JWK set")
    return tuple(key for each in listed if isinstance(each, dict) and (key := _key_of(each)) is not None)


def verify_id_token(token: str, keys: Iterable[VerifyingKey], expected: Expected, now_s: float) -> dict[str, Any]:
    """The claims of a token of which everything is right.

    Raises:
        BadIdToken: of `why` "key" where it names a key that is not among these: they may have changed.
    """
    raw = token.encode("ascii", "replace")
    parts = raw.split(b".")
    if len(raw) > MAX_BYTES or len(parts) != 3 or not all(map(_is_segment, parts)):
        raise BadIdToken("form", "The ID token is not three parts of base64url.")
    header = _json_of(parts[0])
    if "crit" in header:
        raise BadIdToken("form", "The ID token wants something understood that we do not know.")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadIdToken("algorithm", f"The ID token is not signed with {', '.join(sorted(ALGORITHMS))}.")
    _check_signature(raw, _chosen(keys, algorithm, header.get("kid")), algorithm)
    claims = _json_of(parts[1])
    _check(claims, expected, now_s)
    return claims


def _chosen(keys: Iterable[VerifyingKey], algorithm: str, kid: object) -> VerifyingKey:
    fitting = [key for key in keys if key.algorithm == algorithm and (kid is None or key.kid == kid)]
    if len(fitting) != 1:  # without a name it must be plain which is meant
        raise BadIdToken("key", "The ID token is signed with a key that the provider does not publish.")
    return fitting[0]


def _check_signature(raw: bytes, key: VerifyingKey, algorithm: str) -> None:
    try:
        jws.deserialize_compact(raw, key.key, registry=_REGISTRIES[algorithm])
    except (JoseError, ValueError, TypeError) as error:
        raise BadIdToken("signature", "The ID token's signature is not right.") from error


def _check(claims: dict[str, Any], expected: Expected, now_s: float) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadIdToken("issuer", "The ID token was made by another issuer.")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.audience not in audiences:
        raise BadIdToken("audience", "The ID token was made for another client id.")
    authorized = claims.get("azp")
    if (authorized is not None or len(audiences) > 1) and authorized != expected.audience:
        raise BadIdToken("audience", "The ID token was made for several, and not for us (azp).")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise BadIdToken("nonce", "The ID token belongs to another sign-in (nonce).")
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
        raise BadIdToken("subject", "The ID token does not say who is there (sub).")
    _check_times(claims, now_s)


def _check_times(claims: dict[str, Any], now_s: float) -> None:
    ends, made, begins = (_time(claims.get(name, 0 if name == "nbf" else None)) for name in ("exp", "iat", "nbf"))
    if ends is None or made is None or begins is None:
        raise BadIdToken("form", "The ID token does not say when it was made and ends (iat, exp).")
    if now_s >= ends + LEEWAY_SECONDS:
        raise BadIdToken("expired", f"The ID token ended {round(now_s - ends)} s ago by this machine's clock.")
    if now_s - made > MAX_AGE_SECONDS + LEEWAY_SECONDS:
        raise BadIdToken("expired", f"The ID token was made {round(now_s - made)} s ago by this machine's clock.")
    if max(made, begins) > now_s + LEEWAY_SECONDS:
        ahead = round(max(made, begins) - now_s)
        raise BadIdToken("early", f"The ID token was made {ahead} s in the future by this machine's clock.")


def _time(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 2**53 else None  # type: ignore[operator,return-value]


def _key_of(said: dict[str, Any]) -> VerifyingKey | None:
    kid = said.get("kid")
    if said.get("use", "sig") != "sig" or "d" in said or not (kid is None or isinstance(kid, str)):
        return None
    for algorithm, (kind, curve) in _KINDS.items():
        if said.get("kty") == kind and said.get("alg", algorithm) == algorithm and curve in (None, said.get("crv")):
            key = _imported(said, kind)
            return None if key is None else VerifyingKey(kid, algorithm, key)
    return None


def _imported(said: dict[str, Any], kind: str) -> Any:
    # Only what makes the key: what else is said of it (key_ops, x5c, …) is nothing that we go by.
    public = {name: said[name] for name in ("kty", "n", "e", "crv", "x", "y") if isinstance(said.get(name), str)}
    try:
        if kind == "RSA":
            modulus = int.from_bytes(_decoded(public.get("n", "").encode()))
            return RSAKey.import_key(public) if modulus.bit_length() >= _MIN_RSA_BITS else None
        return (ECKey if kind == "EC" else OKPKey).import_key(public)
    except (JoseError, BadIdToken, ValueError, TypeError, KeyError):
        return None


def _json_of(segment: bytes) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(segment).decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadIdToken("form", "The ID token is not JSON.") from error
    if not isinstance(value, dict):
        raise BadIdToken("form", "The ID token is not a JSON object.")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _decoded(segment: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadIdToken("form", "The ID token is not base64url.") from error


class _OneAlgorithm(JWSRegistry):
    """Knows one algorithm and nothing else, and does not warn that RFC 9864 would rather have EdDSA called Ed25519."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm])
        self._only = algorithm

    def get_alg(self, name: str) -> Any:
        if name != self._only:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRIES = {name: _OneAlgorithm(name) for name in _KINDS}
