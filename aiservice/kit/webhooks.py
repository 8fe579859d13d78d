"""Standard Webhooks 1.0 (standardwebhooks.com): signing what we send, and checking what claims to be signed.

A message has an id, a time and a body; the signature is HMAC-SHA-256 over `id.timestamp.body`, in base64 behind `v1,`.
Several signatures stand beside each other, separated by spaces, while a secret is being replaced.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping

from aiservice.kit.secret import Secret

PREFIX = "whsec_"
MIN_BYTES, MAX_BYTES = 24, 64
TOLERANCE_SECONDS = 300
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class NotSigned(Exception):
    """A message is not one that the holder of the secret has just sent; the text says why."""


def new_secret() -> Secret:
    """A new secret: `whsec_` and 32 random bytes in base64."""
    return Secret(PREFIX + base64.b64encode(os.urandom(32)).decode())


def key_of(secret: Secret) -> bytes:
    """The bytes that sign, from a secret as it is written.

    Raises:
        ValueError: no `whsec_` secret of 24 to 64 bytes. An empty or a short one never signs and never verifies.
    """
    text = secret.reveal().decode("ascii", "replace").strip()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise ValueError(f"A webhook secret is {PREFIX} and base64 of {MIN_BYTES} to {MAX_BYTES} random bytes.")
    return key


def signed(keys: Iterable[bytes], message_id: str, at_seconds: int, body: bytes) -> tuple[tuple[str, str], ...]:
    """The three headers of a message; one signature a key.

    Raises:
        ValueError: an id or a time that could be confused with another message's.
    """
    if not _ID.fullmatch(message_id) or at_seconds < 0:
        raise ValueError("not a message's id or time")
    signatures = " ".join("v1," + base64.b64encode(_hmac(key, message_id, at_seconds, body)).decode() for key in keys)
    return (
        ("webhook-id", message_id),
        ("webhook-timestamp", str(at_seconds)),
        ("webhook-signature", signatures),
    )


def verify(secrets: Iterable[Secret], headers: Mapping[str, str], body: bytes, now_seconds: int) -> str:
    """The id of a message that one of `secrets` signed within the last (or next) five minutes. Header names lower case.

    The caller still has to refuse an id that it has seen before: within five minutes a message can be sent again.

    Raises:
        NotSigned: a header is missing or malformed, the time is off, or no signature fits.
        ValueError: a secret is empty or too short (`key_of`), or there is none.
    """
    keys = [key_of(secret) for secret in secrets]
    if not keys:
        raise ValueError("There is no webhook secret to verify with.")
    message_id, at, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not _ID.fullmatch(message_id) or not _SECONDS.fullmatch(at):
        raise NotSigned("The message has no id or no time.")
    if abs(now_seconds - int(at)) > TOLERANCE_SECONDS:
        raise NotSigned("The message's time is more than five minutes off.")
    expected = [base64.b64encode(_hmac(key, message_id, int(at), body)) for key in keys]
    found = [part.removeprefix("v1,").encode() for part in given.split(" ") if part.startswith("v1,")]
    if not any(hmac.compare_digest(one, other) for one in expected for other in found):
        raise NotSigned("No signature fits.")
    return message_id


def _hmac(key: bytes, message_id: str, at_seconds: int, body: bytes) -> bytes:
    return hmac.new(key, f"{message_id}.{at_seconds}.".encode() + body, hashlib.sha256).digest()
