"""Envelopes: AES-256-GCM under a key of their own, which is itself wrapped, both bound to what they belong to.

    AAD     = for each of (DOMAIN, purpose, then sorted field name, value …): 4-byte big-endian length || UTF-8 bytes
    sealed  = nonce(12) || AES-256-GCM(DEK, nonce, secret, AAD)
    wrapped = nonce(12) || AES-256-GCM(KEK, nonce, DEK, AAD || 4-byte length || KEK version in decimal)

A data key (DEK) seals one message in its life, so random nonces are safe; a master key (KEK) wraps far fewer than the
2³² messages NIST SP 800-38D allows. The length prefixes make the encoding injective: no two field sets share an AAD.
"""

import hmac
import os
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
DOMAIN = "ais-env-v1"
_NONCE_BYTES = 12
_CHECK_MESSAGE = b"aiservice master key check v1"


class BadEnvelope(Exception):
    """The envelope was made under another key or for something else, or it was changed."""


def new_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def bind(purpose: str, fields: Mapping[str, str | int]) -> bytes:
    """The AAD of an envelope for `purpose` whose owner, row and so on are `fields`."""
    pieces = [_piece(DOMAIN), _piece(purpose)]
    for name in sorted(fields):
        pieces += (_piece(name), _piece(str(fields[name])))
    return b"".join(pieces)


class Sealer:
    """Seals messages under one key, of which whoever made it sees to that they are few beside 2³²."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, aad: bytes) -> bytes:
        """As the function of that name."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, aad)


def seal(key: bytes, secret: bytes, aad: bytes) -> bytes:
    """`secret` under `key`, bound to `aad`, with a fresh nonce in front."""
    return Sealer(key).seal(secret, aad)


def unseal(key: bytes, envelope: bytes, aad: bytes) -> bytes:
    """What `seal` was given.

    Raises:
        BadEnvelope: another key or AAD, or a changed envelope; which of them cannot be told.
    """
    try:
        return AESGCM(key).decrypt(envelope[:_NONCE_BYTES], envelope[_NONCE_BYTES:], aad)
    except (InvalidTag, ValueError, TypeError) as error:  # TypeError: SQLite keeps text in a bytes column if told to
        raise BadEnvelope("the envelope does not open") from error


def wrap(kek: bytes, kek_version: int, dek: bytes, aad: bytes) -> bytes:
    """A data key under a master key, bound to `aad` and to the master key's version."""
    return seal(kek, dek, aad + _piece(str(kek_version)))


def unwrap(kek: bytes, kek_version: int, wrapped: bytes, aad: bytes) -> bytes:
    """What `wrap` was given.

    Raises:
        BadEnvelope: as `unseal`.
    """
    return unseal(kek, wrapped, aad + _piece(str(kek_version)))


def hkdf(root: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """`length` bytes for one use, from a uniformly random `root` (RFC 5869, SHA-256, no salt)."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(root)


def check_value(key: bytes) -> bytes:
    """32 bytes that recognise `key` and say nothing about it: HMAC-SHA-256 of a constant."""
    return hmac.digest(key, _CHECK_MESSAGE, "sha256")


@lru_cache(maxsize=1024)  # names, owners and kinds come again and again
def _piece(part: str) -> bytes:
    encoded = part.encode()
    return len(encoded).to_bytes(4, "big") + encoded
