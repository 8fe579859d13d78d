"""The text of a client key: `ais_live_<public id: 12>_<secret: 32><check: 6>`, base62, 60 characters.

The check is the CRC-32 of everything before it (the scheme of GitHub's tokens): a typo or junk is refused without a
query, and a secret scanner can tell a key from a look-alike. `ais_test_` keys reach only the sandbox. A person's access
token is the same behind `ais_pat_`, 59 characters: neither is ever taken for the other.
"""

import re
import secrets
import zlib
from dataclasses import dataclass

from aiservice.kit.secret import Secret

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 60
PUBLIC_ID_LENGTH = 12
_SECRET_LENGTH = 32
_CHECKED = LENGTH - 6
_PUBLIC_ID = slice(9, 9 + PUBLIC_ID_LENGTH)
_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
_SQUARE = len(_PAIRS)
_FORM = re.compile(r"ais_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}")
_PERSONAL = re.compile(r"ais_pat_([0-9A-Za-z]{12})_[0-9A-Za-z]{38}")
_matches = _FORM.fullmatch
_holds = re.compile(r"ais_(?:live|test|pat)_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}").search


@dataclass(slots=True, frozen=True)
class MintedKey:
    """A new key's text, and the part of it that may be shown."""

    text: Secret
    public_id: str


def mint(*, is_test: bool = False) -> MintedKey:
    """A new key: 71 random bits of public id, 190 of secret."""
    public_id = _random(PUBLIC_ID_LENGTH)
    body = f"ais_{'test' if is_test else 'live'}_{public_id}_{_random(_SECRET_LENGTH)}"
    return MintedKey(Secret(body + checksum(body)), public_id)


def mint_personal() -> MintedKey:
    """A new access token of a person, of the same strength."""
    public_id = _random(PUBLIC_ID_LENGTH)
    body = f"ais_pat_{public_id}_{_random(_SECRET_LENGTH)}"
    return MintedKey(Secret(body + checksum(body)), public_id)


def parse_personal(text: str) -> str | None:
    """As `parse`, for a person's access token."""
    found = _PERSONAL.fullmatch(text)
    return found[1] if found is not None and checksum(text[:-6]) == text[-6:] else None


def parse(text: str) -> str | None:
    """The public id in `text`; None for anything that no key can be. About 2 µs, whatever is sent."""
    if len(text) != LENGTH or _matches(text) is None or checksum(text[:_CHECKED]) != text[_CHECKED:]:
        return None
    return text[_PUBLIC_ID]


def holds_key(text: str) -> bool:
    """Whether something that looks like a key or a person's token stands anywhere in `text`."""
    return _holds(text) is not None


def is_test_key(text: str) -> bool:
    """Whether a parsed key is one for the sandbox."""
    return text.startswith("ais_test_")


def checksum(body: str) -> str:
    """CRC-32 of `body` as 6 base62 characters, zero padded."""
    high, low = divmod(zlib.crc32(body.encode()), _SQUARE)
    high, middle = divmod(high, _SQUARE)
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
