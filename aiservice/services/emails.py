"""E-mail addresses as account names: one spelling each."""

import re

from aiservice.errors import Unprocessable

MAX_CHARACTERS = 254  # RFC 5321 §4.5.3.1.3: a path of 256 with its angle brackets
# The HTML standard's "valid e-mail address". ASCII only: look-alike letters would make two accounts of one name.
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


def checked_email(text: str) -> str:
    """The address in lower case, without spaces around it.

    Raises:
        Unprocessable: no address of this simple form (code `email_invalid`).
    """
    email = text.strip()
    if email.isascii() and len(email) <= MAX_CHARACTERS and _ADDRESS.fullmatch(email.lower()):
        return email.lower()
    raise Unprocessable(
        f"Write an e-mail address such as name@example.org, with at most {MAX_CHARACTERS} characters.",
        code="email_invalid",
        param="email",
    )
