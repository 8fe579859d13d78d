"""Signatures of access tokens, through joserfc. Only `access_tokens.load` imports this: see there why so late."""

from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

from aiservice.kit.secret import Secret

_ALGORITHM = "EdDSA"


def key_of(private: Secret) -> OKPKey:
    """The library's key from a JWK with its private half."""
    return OKPKey.import_key(orjson.loads(private.reveal()))


def signed(header: dict[str, str], payload: bytes, key: OKPKey) -> str:
    """The compact form (RFC 7515)."""
    return jws.serialize_compact(dict(header), payload, key, registry=_REGISTRY)


def why_forged(token: bytes, key: OKPKey) -> str | None:
    """What is wrong with a signature, for a log; None where `key` made it."""
    try:
        jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        return type(error).__name__
    return None


class _OneAlgorithm(JWSRegistry):
    """Knows EdDSA and nothing else, and does not warn that RFC 9864 would rather have it called Ed25519."""

    def get_alg(self, name: str) -> Any:
        if name != _ALGORITHM:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY = _OneAlgorithm(algorithms=[_ALGORITHM])
