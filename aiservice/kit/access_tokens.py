"""Access tokens as text: a JWT of type `at+jwt` (RFC 9068), signed with EdDSA over Ed25519 (RFC 8037).

The only importer of a JWT library (in `_signatures`, which `load` brings in). What a token says is read by our own
rules and not by the library's: it does not look at claims unless asked, and takes JSON that names a member twice.
"""

import base64
import binascii
import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aiservice.kit.secret import Secret

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "aiservice"
MAX_BYTES = 4096
MAX_TTL_SECONDS = 900
LEEWAY_SECONDS = 30
_HEADER_NAMES = {"alg", "kid", "typ"}
_PUBLIC_MEMBERS = ("crv", "x", "kty")
_TEXTS = ("iss", "aud", "sub", "tid", "scope", "jti")
_INTEGERS = ("ver", "iat", "nbf", "exp")
_REQUIRED = {*_TEXTS, *_INTEGERS}
_MAX_INTEGER = 2**53
_is_segment = re.compile(rb"[A-Za-z0-9_-]+").fullmatch
_is_kid = re.compile(r"[A-Za-z0-9_-]{1,32}").fullmatch


class BadToken(Exception):
    """Not a token that we made for this use; the message is for a log, never for whoever sent it."""


class ExpiredToken(BadToken):
    """Ours, and over."""


class ForgedToken(BadToken):
    """Names a key of ours that did not sign it."""


@dataclass(slots=True, frozen=True)
class Claims:
    """What a token says: ids, scopes (separated by spaces, or `*`), whole seconds UTC, and the caller's `metadata`."""

    subject: str
    tenant: str
    scope: str
    version: int
    issued_s: int
    expires_s: int
    id: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class AccessKey:
    """A key that signs tokens and verifies them. Its private half never leaves it but as a `Secret`."""

    def __init__(self, kid: str, private: Secret) -> None:
        """`private` is what `new_private_key` gave."""
        self.kid = kid
        self._private = private
        known = orjson.loads(private.reveal())
        self.public: dict[str, str] = {
            **{name: str(known[name]) for name in _PUBLIC_MEMBERS},
            "kid": kid,
            "alg": ALGORITHM,
            "use": "sig",
        }

    @cached_property
    def _key(self) -> Any:
        return load().key_of(self._private)

    def sign(self, claims: Claims, issuer: str) -> str:
        """The text of a token."""
        payload: dict[str, object] = {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": claims.subject,
            "tid": claims.tenant,
            "scope": claims.scope,
            "ver": claims.version,
            "iat": claims.issued_s,
            "nbf": claims.issued_s,
            "exp": claims.expires_s,
            "jti": claims.id,
        }
        if claims.metadata:
            payload["metadata"] = claims.metadata
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": TYPE}
        text: str = load().signed(header, orjson.dumps(payload), self._key)
        return text

    def check(self, token: bytes) -> None:
        """Raises ForgedToken: this key did not sign `token`."""
        reason = load().why_forged(token, self._key)
        if reason is not None:
            raise ForgedToken(reason)


def load() -> Any:
    """The module that signs. Its library is two megabytes and up to 0.1 s, which only users of tokens need: whoever has
    an event loop calls this in a thread before the first token; afterwards it costs nothing."""
    return importlib.import_module("aiservice.kit._signatures")


def new_private_key() -> Secret:
    """A new Ed25519 key as a JWK (RFC 8037), private half included."""
    private = Ed25519PrivateKey.generate()
    halves = {"x": private.public_key().public_bytes_raw(), "d": private.private_bytes_raw()}
    texts = {name: base64.urlsafe_b64encode(half).rstrip(b"=").decode() for name, half in halves.items()}
    return Secret(orjson.dumps({"crv": "Ed25519", "kty": "OKP", **texts}))


def looks_like_token(credential: bytes) -> bool:
    """Whether `credential` has a token's three parts. No client key has dots."""
    return credential.count(b".") == 2


def verify_access_token(token: bytes, key_of: Callable[[str], AccessKey | None], issuer: str, now_s: float) -> Claims:
    """What a token says, once everything about it is right. Cheapest first: size, form, header, and only then the
    signature; claims are not read before it.

    `key_of` gives the key of an id from memory. It is asked last before the signature, and may raise to forgo that.

    Raises:
        ExpiredToken: right in every way, but over for 30 s and more.
        ForgedToken: it names a key of ours that did not sign it.
        BadToken: anything else.
    """
    if len(token) > MAX_BYTES:
        raise BadToken("too long")
    parts = token.split(b".")
    if len(parts) != 3 or not all(map(_is_segment, parts)):
        raise BadToken("not three parts of base64url")
    header = _json_of(parts[0])
    _decoded(parts[2])
    if header.keys() != _HEADER_NAMES or header["typ"] != TYPE or header["alg"] != ALGORITHM:
        raise BadToken("header")
    kid = header["kid"]
    key = key_of(kid) if type(kid) is str and _is_kid(kid) else None
    if key is None:
        raise BadToken("unknown kid")
    key.check(token)
    return _claims(_json_of(parts[1]), issuer, now_s)


def _claims(said: dict[str, Any], issuer: str, now_s: float) -> Claims:
    metadata = said.pop("metadata", {})
    if said.keys() != _REQUIRED:
        raise BadToken("claims")
    if not all(type(said[name]) is str for name in _TEXTS):
        raise BadToken("a claim is no text")
    if not all(type(said[name]) is int and 0 <= said[name] < _MAX_INTEGER for name in _INTEGERS):
        raise BadToken("a claim is no whole number")
    if not isinstance(metadata, dict) or not all(type(value) is str for value in metadata.values()):
        raise BadToken("metadata")
    if max(said["nbf"], said["iat"]) > now_s + LEEWAY_SECONDS or said["exp"] - said["iat"] > MAX_TTL_SECONDS:
        raise BadToken("times")
    if said["iss"] != issuer or said["aud"] != AUDIENCE:
        raise BadToken("issuer or audience")
    if now_s >= said["exp"] + LEEWAY_SECONDS:
        raise ExpiredToken
    return Claims(said["sub"], said["tid"], said["scope"], said["ver"], said["iat"], said["exp"], said["jti"], metadata)


def _json_of(segment: bytes) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(segment).decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadToken("not JSON") from error
    if not isinstance(value, dict):
        raise BadToken("no JSON object")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _decoded(segment: bytes) -> bytes:
    """The bytes of a base64url segment in its one right form: else two texts would be the same token."""
    try:
        decoded = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadToken("not base64url") from error
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != segment:
        raise BadToken("not the one form of base64url")
    return decoded
