"""Recovery codes: fifty random bits each, in an alphabet without look-alikes, written as `xxxxx-xxxxx`."""

import re
import secrets

COUNT = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_CHARACTERS = 10
_READ_AS = str.maketrans({"o": "0", "i": "1", "l": "1"})
_CODE = re.compile(rf"[{_ALPHABET}]{{{_CHARACTERS}}}")


def new_codes() -> list[str]:
    """Ten new codes, as they are shown."""
    codes = ("".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS)) for _ in range(COUNT))
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def parse_recovery_code(text: str) -> str | None:
    """The code that somebody typed, in its one form without the hyphen; None: it is none."""
    if len(text) > 40:
        return None
    code = re.sub(r"[\s-]", "", text).lower().translate(_READ_AS)
    return code if _CODE.fullmatch(code) else None
