"""The ways to sign in that an installation offers, as a list: the sign-in page shows whatever is in it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True, frozen=True)
class Way:
    """One of them. A "link" leads to somebody else who knows the person (single sign-on), at `href`."""

    kind: Literal["password", "passkey", "link"]
    label: str
    href: str = ""


def ways_to_sign_in(links: tuple[Way, ...] = (), *, are_others_off: bool = False) -> tuple[Way, ...]:
    """In the order of the page: `links` are single sign-on, and `are_others_off` where that is required. Whether a
    browser can do what is offered only the browser knows, and says."""
    if are_others_off:
        return links
    return (Way("password", "Sign in"), *links, Way("passkey", "Sign in with a passkey"))
