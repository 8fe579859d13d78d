"""What an installation asks of every client key: how long one may live, and whether it can be shown again."""

from dataclasses import dataclass
from typing import Literal, Self

from aiservice.errors import Unprocessable
from aiservice.kit.clock import DAY_US, SECOND_US
from aiservice.kit.durations import format_duration
from aiservice.settings import Settings

Retrieval = Literal["off", "opt_in", "on"]
MAX_EXPIRY_SECONDS = 10 * 366 * 86_400
IDLE_US = 90 * DAY_US  # a key that was used for nothing in so long is likely forgotten


@dataclass(slots=True, frozen=True)
class KeyPolicy:
    """Durations are microseconds; None is "no such rule".

    `max_age_us` is about secrets: none works longer than that after it was made, whenever the rule came; rolling gives
    a key a new one. `default_expiry_us` is the end of a key whose maker names none.
    """

    retrieval: Retrieval = "opt_in"
    max_age_us: int | None = None
    default_expiry_us: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The policy that the settings describe."""
        return cls(settings.key_retrieval, _us(settings.max_key_age), _us(settings.default_key_expiry))

    def expiry(self, expires_in_seconds: float | None, now_us: int) -> int | None:
        """When a key made now ends, in microseconds UTC; None is never.

        Raises:
            Unprocessable: out of range, or later than the policy has it (`over_max_key_age`).
        """
        if expires_in_seconds is None:
            return None if self.default_expiry_us is None else now_us + self.default_expiry_us
        if not 1 <= expires_in_seconds <= MAX_EXPIRY_SECONDS:
            raise Unprocessable("A key expires in 1 second to 10 years, or never.", param="expires_in")
        if self.max_age_us is not None and expires_in_seconds * SECOND_US > self.max_age_us:
            most = format_duration(self.max_age_us // SECOND_US)
            raise Unprocessable(
                f"Here a key's secret works for {most} at most. Ask for no more, and roll the key to go on.",
                code="over_max_key_age",
                param="expires_in",
            )
        return now_us + int(expires_in_seconds * SECOND_US)

    def secret_end(self, created_us: int, expires_us: int | None) -> int | None:
        """When a secret made at `created_us` ends, that would end at `expires_us` by itself."""
        if self.max_age_us is None:
            return expires_us
        oldest_us = created_us + self.max_age_us
        return oldest_us if expires_us is None else min(expires_us, oldest_us)

    def keeps_copy(self, is_asked: bool | None) -> bool:
        """Whether a secret made now is kept to be shown again; `is_asked` None leaves it to the policy.

        Raises:
            Unprocessable: it was asked for and is not done here (`key_retrieval_off`).
        """
        if self.retrieval == "off" and is_asked:
            raise Unprocessable(
                "Keys are shown once here (AISERVICE_KEY_RETRIEVAL is off).",
                code="key_retrieval_off",
                param="retrievable",
            )
        return self.retrieval == "on" if is_asked is None else is_asked


def _us(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * SECOND_US
