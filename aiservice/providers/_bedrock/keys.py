"""The two kinds of key: a pair that signs (with a session's token, if it is temporary), and a key that is sent."""

import re
from typing import Any, Final, NamedTuple

import orjson

from aiservice.kit.bounded_json import loads

KEY_HINT: Final = "ACCESS_KEY_ID:SECRET_ACCESS_KEY, with :SESSION_TOKEN if it is temporary, or a Bedrock API key"
_PAIR: Final = re.compile(r"([A-Z0-9]{16,128}):([A-Za-z0-9/+=]{16,128})(?::([A-Za-z0-9/+=_-]{16,3800}))?", re.ASCII)
# An access key's id alone is half of a pair, not a key.
_API_KEY: Final = re.compile(r"(?!A[KS]IA[A-Z0-9]{16}$)[A-Za-z0-9/+=._-]{20,4096}", re.ASCII)
# As `aws sts get-session-token` prints them, as a credential process does, and as they stand in ~/.aws/credentials.
_NAMES: Final = (
    ("AccessKeyId", "SecretAccessKey", "SessionToken"),
    ("access_key_id", "secret_access_key", "session_token"),
    ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
)


class KeyPair(NamedTuple):
    """What signs."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "KeyPair(***)"


def pair_in(key: str) -> KeyPair | None:
    """The pair that `key` holds; None where it is one that is sent as it is.

    Raises:
        ValueError: neither.
    """
    found = _PAIR.fullmatch(key)
    if found is not None:
        return KeyPair(found[1], found[2], found[3])
    if not _API_KEY.fullmatch(key):
        raise _unlike()
    return None


def normal_key(raw: bytes) -> bytes:
    """A key as it is stored; what AWS's own tools print as JSON becomes `ID:SECRET[:TOKEN]`.

    Raises:
        ValueError: no key of AWS's.
    """
    key = _from_json(raw) if raw[:1] == b"{" else raw.decode("ascii", "replace")
    pair_in(key)
    return key.encode()


def _from_json(raw: bytes) -> str:
    try:
        said: Any = loads(raw)
    except orjson.JSONDecodeError:
        raise _unlike() from None
    held = said.get("Credentials", said)
    if isinstance(held, dict):
        for names in _NAMES:
            if held.get(names[0]) and held.get(names[1]):
                return ":".join(str(held[name]) for name in names if held.get(name))
    raise _unlike()


def _unlike() -> ValueError:
    return ValueError(f"This is no key of AWS's. Give {KEY_HINT}; or the JSON that `aws sts get-session-token` prints.")
