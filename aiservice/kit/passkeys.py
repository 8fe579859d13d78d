"""Passkeys (WebAuthn level 2 and 3) through py_webauthn, and the only module that imports it.

What comes from a browser is text, and every text that is no valid answer raises `BadPasskey`, whatever the library
makes of it. The counter of a passkey is handed on, not judged: one that went back is a sign of a copy, not a proof.
"""

import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

CHALLENGE_BYTES = 32
TIMEOUT_SECONDS = 300
_MAX_CHARACTERS = 15_000
_MAX_ID_BYTES = 1_023  # WebAuthn §4
_PRODUCT = "aiservice"


class BadPasskey(ValueError):
    """What the browser sent is not what was asked for: another challenge, page or key, or no answer at all."""


@dataclass(slots=True, frozen=True)
class Site:
    """The page that asks: `rp_id` is its host name, which a passkey belongs to for good."""

    rp_id: str
    origin: str


@dataclass(slots=True, frozen=True)
class NewPasskey:
    """A passkey that was just made. `credential_id` is base64url; `is_synced`: its maker keeps copies of it."""

    credential_id: str
    public_key: bytes
    counter: int
    is_synced: bool


@dataclass(slots=True, frozen=True)
class Claim:
    """Whose signature an answer says it is; believed only after `verify_use`."""

    credential_id: str
    text: str


def new_challenge() -> bytes:
    """Random bytes to be signed once."""
    return os.urandom(CHALLENGE_BYTES)


def creation_options(
    site: Site, challenge: bytes, *, user_id: str, email: str, known_ids: Sequence[str]
) -> dict[str, Any]:
    """What `navigator.credentials.create` is given: a passkey that finds its person by itself and asks who is there.

    `known_ids` are the person's passkeys: a device makes no second one.
    """
    import webauthn  # noqa: PLC0415 - takes a tenth of a second
    from webauthn.helpers import structs  # noqa: PLC0415

    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name=_PRODUCT,
        user_name=email,
        user_id=user_id.encode(),
        challenge=challenge,
        timeout=TIMEOUT_SECONDS * 1000,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known_ids),
    )
    read: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return read


def request_options(site: Site, challenge: bytes, *, known_ids: Sequence[str], is_alone: bool) -> dict[str, Any]:
    """What `navigator.credentials.get` is given. `known_ids` empty: any passkey of this site. `is_alone`: nothing else
    proves the person, so the device must ask who is there (a PIN, a finger)."""
    import webauthn  # noqa: PLC0415
    from webauthn.helpers import structs  # noqa: PLC0415

    verification = structs.UserVerificationRequirement
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_SECONDS * 1000,
        allow_credentials=_descriptors(known_ids),
        user_verification=verification.REQUIRED if is_alone else verification.PREFERRED,
    )
    read: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return read


def verify_new(text: str, site: Site, challenge: bytes) -> NewPasskey:
    """The passkey in the answer of `create` (JSON).

    Raises:
        BadPasskey: it was not made for this challenge and site, or nobody was asked who is there.
    """
    import webauthn  # noqa: PLC0415

    _require_json(text)
    try:
        made = webauthn.verify_registration_response(
            credential=text,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _refusals() as exc:
        raise BadPasskey("the answer does not prove a new passkey") from exc
    if not 0 < len(made.credential_id) <= _MAX_ID_BYTES:
        raise BadPasskey("the passkey's id has an impossible length")
    from webauthn.helpers import bytes_to_base64url  # noqa: PLC0415

    credential_id = bytes_to_base64url(made.credential_id)
    return NewPasskey(credential_id, made.credential_public_key, made.sign_count, made.credential_backed_up)


def claim_of(text: str) -> Claim:
    """Which passkey an answer of `get` (JSON) says it is of.

    Raises:
        BadPasskey: it is no such answer.
    """
    read = _require_json(text)
    credential_id = read.get("id")
    if not isinstance(credential_id, str) or not 0 < len(credential_id) <= _MAX_ID_BYTES * 4 // 3 + 3:
        raise BadPasskey("the answer names no passkey")
    return Claim(credential_id, text)


def verify_use(claim: Claim, site: Site, challenge: bytes, public_key: bytes, *, is_alone: bool) -> int:
    """Checks the signature; the passkey's counter as it is now (0: it keeps none).

    Raises:
        BadPasskey: signed by another key, for another challenge or site, or (`is_alone`) without asking who is there.
    """
    import webauthn  # noqa: PLC0415

    try:
        used = webauthn.verify_authentication_response(
            credential=claim.text,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # whether it went back is the caller's to judge
            require_user_verification=is_alone,
        )
    except _refusals() as exc:
        raise BadPasskey("the answer does not prove the passkey") from exc
    return used.new_sign_count


def _descriptors(ids: Sequence[str]) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers import base64url_to_bytes, structs  # noqa: PLC0415

    return [structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each)) for each in ids]


def _require_json(text: str) -> dict[str, Any]:
    if len(text) > _MAX_CHARACTERS:
        raise BadPasskey("the answer is too long")
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadPasskey("the answer is no JSON") from exc
    if not isinstance(read, dict):
        raise BadPasskey("the answer is no JSON object")
    return read


def _refusals() -> tuple[type[Exception], ...]:
    """All that the library, and the parsers below it, raise at texts that are none of theirs (found by fuzzing)."""
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

    return (
        WebAuthnException, InvalidSignature, UnsupportedAlgorithm, struct.error, ValueError, TypeError, LookupError,
        AttributeError, ArithmeticError, RecursionError,
    )  # fmt: skip
