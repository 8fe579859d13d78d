"""Public keys of a secret scanner, and its signatures: ECDSA on P-256 with SHA-256 over the raw body, as GitHub's
secret scanning partner programme sends them (docs.github.com, "Secret scanning partner program").

The keys come from a file that an admin put there. Nothing is ever fetched because a request names it.
"""

import base64
import binascii
import json
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_MAX_SIGNATURE = 200


class BadSignature(Exception):
    """Not signed by a key that the scanner signs with now; the message is for a log."""


class ScannerKeys:
    """The keys by their identifiers."""

    def __init__(self, keys: Mapping[str, EllipticCurvePublicKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def read(cls, text: bytes) -> "ScannerKeys":
        """Keys from `{"public_keys": [{"key_identifier", "key" (PEM), "is_current"}]}`; those that are not current any
        more are left out.

        Raises:
            ValueError: it is not that; the message says what is wrong.
        """
        try:
            listed = json.loads(text)["public_keys"]
            current = [(str(one["key_identifier"]), str(one["key"])) for one in listed if one["is_current"] is True]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError('it must hold {"public_keys": [{"key_identifier", "key", "is_current"}]}') from error
        keys = {}
        for identifier, pem in current:
            try:
                key = load_pem_public_key(pem.encode())
            except ValueError as error:
                raise ValueError(f"the key {identifier[:80]} is no PEM public key") from error
            if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
                raise ValueError(f"the key {identifier[:80]} is not one on the curve P-256")  # noqa: TRY004 - as above
            keys[identifier] = key
        if not keys:
            raise ValueError("it holds no key that is current")
        return cls(keys)

    def check(self, identifier: str, signature: str, body: bytes) -> None:
        """Raises BadSignature: `signature` (base64 of DER) is not that key's over exactly `body`."""
        key = self._keys.get(identifier)
        if key is None:
            raise BadSignature("unknown or retired key")
        if len(signature) > _MAX_SIGNATURE:
            raise BadSignature("too long")
        try:
            key.verify(base64.b64decode(signature, validate=True), body, ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise BadSignature(type(error).__name__) from error
