"""Makes tokens by hand: good ones, and every kind of bad one, signed with the real key where it matters."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from joserfc.jwk import OKPKey

from aiservice.kit.access_tokens import AccessKey
from aiservice.services.tokens import Tokens

REQUIRED = ("iss", "aud", "sub", "tid", "scope", "ver", "iat", "nbf", "exp", "jti")


def segment(raw: bytes | str | Mapping[str, Any]) -> str:
    """Base64url of bytes, of a text or of an object's JSON."""
    if isinstance(raw, Mapping):
        raw = json.dumps(raw)
    return base64.urlsafe_b64encode(raw.encode() if isinstance(raw, str) else raw).rstrip(b"=").decode()


def opened(token: str, part: int = 1) -> dict[str, Any]:
    """A part of a token, as whoever has it can read it."""
    text = token.split(".")[part]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return said


class Forger:
    """Has the private key that signs now, as no attacker does: what is refused of its making is refused for what it
    says."""

    def __init__(self, tokens: Tokens, template: str) -> None:
        """`template` is a good token."""
        self.key: AccessKey = tokens.keys.signing()
        self.header, self.claims = opened(template, 0), opened(template)

    def signed(self, header: Mapping[str, Any] | str, payload: Mapping[str, Any] | str) -> str:
        """A token of exactly this header and payload, rightly signed."""
        text = f"{segment(header)}.{segment(payload)}"
        return f"{text}.{segment(self._sign(text.encode()))}"

    def saying(self, **claims: Any) -> str:
        """A good token but for these claims; `...` leaves one out."""
        said = {**self.claims, "jti": f"tok_{time.time_ns():032x}", **claims}
        return self.signed(self.header, {name: value for name, value in said.items() if value is not ...})

    def headed(self, **members: Any) -> str:
        """A good token but for these members of its header."""
        return self.signed({**self.header, **members}, self.claims)

    def with_mac(self, algorithm: str, secret: bytes) -> str:
        """A token under a keyed hash instead of a signature."""
        text = f"{segment({**self.header, 'alg': algorithm})}.{segment(self.claims)}"
        return f"{text}.{segment(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    def public_pem(self) -> bytes:
        public: dict[str, str | list[str]] = {**self.key.public}
        pem: bytes = OKPKey.import_key(public).as_pem(private=False)
        return pem

    def _sign(self, message: bytes) -> bytes:
        private: Any = self.key._key.private_key
        signature: bytes = private.sign(message)
        return signature


def of_another_key(claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """A token that names our key and is signed with the forger's own."""
    own = OKPKey.generate_key("Ed25519", private=True)
    text = f"{segment(header)}.{segment(claims)}"
    private: Any = own.private_key
    return f"{text}.{segment(private.sign(text.encode()))}"
