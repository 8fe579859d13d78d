"""Keys that are not sent themselves, but buy a token that is (OAuth 2.0, RFC 6749 §4.5 and §6)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from aiservice.kit.secret import Secret
from aiservice.wire import HttpCall, HttpReply


@dataclass(slots=True, frozen=True)
class BoughtToken:
    """What a key was exchanged for: `key` stands in its place for `lifetime_seconds`."""

    key: Secret
    lifetime_seconds: int


class KeyExchange(ABC):
    """One key's way to a token. `token_url` is where it is had: the key itself says that, so nobody may go there but
    where it is of `vendor_hosts` or the connection's own address."""

    token_url: str
    vendor_hosts: frozenset[str]

    @abstractmethod
    def call(self, now_s: int) -> HttpCall:
        """The request, without the path, which is of `token_url`. It may take some milliseconds to sign."""

    @abstractmethod
    def read(self, reply: HttpReply) -> BoughtToken:
        """The token.

        Raises:
            AttemptFailed: there is none; its words say what to look at.
        """
