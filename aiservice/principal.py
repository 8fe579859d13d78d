"""Who is calling, as types: a client's credential on the API, a person in the portal."""

from dataclasses import dataclass, field
from enum import StrEnum

from aiservice.kit.addresses import AllowList


class Role(StrEnum):
    """What a person is in the portal and on the command line."""

    ADMIN = "admin"
    DEVELOPER = "developer"


@dataclass(slots=True, frozen=True)
class Limit:
    """At most `amount` of `measure` ("requests", "tokens", or "concurrency": requests at once) in any `window_seconds`
    (0: at once), for everything that shares the `subject`: the id of a key, a client or a team, which `scope` says."""

    scope: str
    subject: str
    name: str
    measure: str
    window_seconds: int
    amount: int


@dataclass(slots=True, frozen=True)
class Budget:
    """At most `cap` of `measure` ("money", in 10⁻⁹ USD, or "tokens") in every `period` ("day", "week" or "month"; one
    that `is_rolling` ends now), for everything that shares the `subject`: the id of a key, a client or a team, which
    `scope` says. `unpriced` are models that may be used though nobody knows what they cost."""

    id: str
    scope: str
    subject: str
    measure: str
    period: str
    is_rolling: bool
    cap: int
    unpriced: frozenset[str] = frozenset()


@dataclass(slots=True, frozen=True)
class Sanction:
    """What abuse has brought about for a client: `level` is "throttle", "quarantine" or "block"."""

    id: str
    level: str
    until_us: int


@dataclass(slots=True, frozen=True)
class Principal:
    """A verified API credential and what it may do; None in an allowed set means "no restriction".

    `weight` is its client's, where clients share what a provider gives.
    `scopes` are task names and `read` (GET routes); `connections` and `models` are names, already intersected with
    the client's and its team's own sets; `networks` are the addresses it may come from, and every request is held
    against them. `token_id` is set where the credential is a token of that key, and `expires_us` is the credential's
    end then; `key_ends_us` is the key's own, at which its streams end, too. `keeps_payloads`: an admin wants what its
    client asks and is answered kept for a while. What a `sanction` slows is among the `limits`. Times are microseconds
    UTC.
    """

    client_id: str
    client_name: str
    key_id: str
    public_id: str
    scopes: frozenset[str] | None = None
    connections: frozenset[str] | None = None
    models: frozenset[str] | None = None
    expires_us: int | None = None
    is_test: bool = False
    limits: tuple[Limit, ...] = ()
    token_id: str | None = None
    weight: int = 1
    networks: AllowList | None = None
    key_ends_us: int | None = None
    team_id: str | None = None
    team_name: str | None = None
    budgets: tuple[Budget, ...] = ()
    sanction: Sanction | None = None
    keeps_payloads: bool = False
    counts_money: bool = field(init=False, default=False)
    """Whether any of the budgets is one of money: prices are worked out for nobody else."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts_money", any(budget.measure == "money" for budget in self.budgets))


@dataclass(slots=True, frozen=True)
class Person:
    """A person who acts: signed in (`session_hash` names the server-side session it was resolved from), or by a program
    with an access token of theirs (`token_id`). `time_zone` is an IANA name: in which they see times."""

    user_id: str
    email: str
    role: Role
    session_hash: str = ""
    token_id: str = ""
    time_zone: str = "UTC"

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN


# Whoever may run the command line on the server's machine can read its database and master key anyway.
OPERATOR = Person("operator", "operator", Role.ADMIN)
