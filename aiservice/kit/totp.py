"""Codes of authenticator apps: RFC 6238 as all of them do it (SHA-1, six digits, 30 seconds). SHA-1 is no weakness in
an HMAC, and some apps take nothing else.
"""

import base64
import hmac
import os
import re
from urllib.parse import quote

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
"""How far a phone's clock may be off, in steps to either side."""

_SECRET_BYTES = 20  # RFC 4226 §4 R6 recommends 160 bits
_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> bytes:
    """A random secret."""
    return os.urandom(_SECRET_BYTES)


def step_at(at_us: int) -> int:
    """The number of the 30 seconds that hold `at_us` (microseconds UTC)."""
    return at_us // (STEP_SECONDS * 1_000_000)


def code_at(secret: bytes, step: int) -> str:
    """The code of one step (RFC 4226 §5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, now_step: int) -> int | None:
    """The step that `code` is of, the newest first; None: of none near `now_step`. Looks at all of them, whatever
    fits, so that the time it takes says nothing."""
    found = None
    for step in range(max(0, now_step - DRIFT_STEPS), now_step + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            found = step
    return found


def parse_code(text: str) -> str | None:
    """The six digits that somebody typed, spaces and a hyphen between them left out; None: it is no such code."""
    digits = re.sub(r"[\s-]", "", text) if len(text) <= 32 else ""
    return digits if _CODE.fullmatch(digits) else None


def base32_of(secret: bytes) -> str:
    """The secret as people type it into an app that cannot read a QR code."""
    return base64.b32encode(secret).decode().rstrip("=")


def otpauth_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """What the QR code holds (Google Authenticator's key URI format). All else is what apps assume by themselves."""
    label = quote(f"{issuer}:{account}", safe=":@")
    return f"otpauth://totp/{label}?secret={base32_of(secret)}&issuer={quote(issuer, safe='')}"
