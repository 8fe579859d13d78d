"""What a stored key is good for now, and in which words one that is good for nothing is refused. Rules, and no I/O."""

import hmac
from enum import Enum

from aiservice.errors import BrokerError, Overloaded, PermissionDenied, RateLimited, Unauthenticated
from aiservice.kit.addresses import AllowList
from aiservice.kit.clock import now_us
from aiservice.principal import Limit, Principal, Role
from aiservice.services.key_cache import Entry
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.key_rights import networks_of_both
from aiservice.services.limit_names import limits_of
from aiservice.services.sanction_terms import sanction_of
from aiservice.services.vault import PEPPER_VERSION
from aiservice.store.keys import Credential

AWAY_SECONDS = 1.0  # after a failed look-up: how long nobody tries again
_FOREVER_US = 2**62
_NO_DIGEST = bytes(32)


class Refusal(Enum):
    """Why a well-formed credential is refused."""

    UNKNOWN = "invalid_api_key"
    EXPIRED = "key_expired"
    REVOKED = "key_revoked"
    CLIENT_DISABLED = "client_disabled"
    CREATOR = "creator_lost_rights"
    DECOY = "decoy"  # for us: the caller is told what the holder of an unknown key is told
    LIMITED = "too_many_failed_authentications"
    AWAY = "database_unavailable"


def key_digest(pepper: bytes, credential: bytes) -> bytes:
    """What the database keeps of a client key: 32 bytes, useless without the pepper and bound to the public id."""
    return hmac.digest(pepper, b"ais-key-v1\0" + credential, "sha256")


def judge(row: Credential, digest: bytes, policy: KeyPolicy) -> Entry | Refusal:
    """What the holder of a credential with `digest` is told. Who has not the right secret learns nothing else."""
    is_known = row.public_id is not None and row.pepper_version == PEPPER_VERSION
    expected = row.digest if is_known and isinstance(row.digest, bytes) else _NO_DIGEST
    if not hmac.compare_digest(expected, digest) or expected is _NO_DIGEST:
        return Refusal.UNKNOWN
    if row.is_decoy:
        return Refusal.DECOY
    return standing_of(row, policy)


def standing_of(row: Credential, policy: KeyPolicy) -> Entry | Refusal:
    """What a secret is good for now, whoever asks."""
    if row.public_id is None or row.secret_created_us is None:
        return Refusal.UNKNOWN
    if row.secret_revoked_us is not None or row.key_revoked_us is not None:
        return Refusal.REVOKED
    ends = (policy.secret_end(row.secret_created_us, row.secret_expires_us), row.key_expires_us)
    ends_us = min(_FOREVER_US if at is None else at for at in ends)
    if ends_us <= now_us():
        return Refusal.EXPIRED
    expires_us = ends_us
    if row.is_client_disabled or row.is_owner_disabled:
        return Refusal.CLIENT_DISABLED
    if not _may_creator(row):
        return Refusal.CREATOR
    sanction, slowed = sanction_of(row.sanction, now_us())
    if sanction is not None:
        ends_us = min(ends_us, sanction.until_us)  # then it is looked at anew
    networks = networks_of_both(row.key_networks, row.client_networks)
    principal = Principal(
        client_id=row.client_id,
        client_name=row.client_name,
        key_id=row.key_id,
        public_id=row.public_id,
        scopes=_all_of(row.key_scopes, row.client_scopes),
        connections=_all_of(row.key_connections, row.client_connections, row.team_connections),
        models=_all_of(row.key_models, row.client_models, row.team_models),
        expires_us=None if expires_us == _FOREVER_US else expires_us,
        is_test=row.is_test,
        limits=(*_limits(row), *slowed),
        sanction=sanction,
        networks=None if networks is None else AllowList(networks),
        key_ends_us=row.key_expires_us,
        team_id=row.team_id,
        team_name=row.team_name,
        weight=row.client_weight,
        keeps_payloads=bool(row.keeps_payloads),
    )
    rests_on = (row.key_id, row.client_id, row.team_id, row.owner_id, row.creator_id)
    return Entry(principal, ends_us, tuple(subject for subject in rests_on if subject is not None), row.token_version)


def _may_creator(row: Credential) -> bool:
    """Whether whoever made the key could make it now. A key is never worth more than its maker."""
    if row.creator_id is None or row.creator_id == row.owner_id:
        return True
    return row.creator_role == Role.ADMIN and not row.is_creator_disabled


def _limits(row: Credential) -> tuple[Limit, ...]:
    of_team = () if row.team_id is None else limits_of("team", row.team_id, row.team_limits)
    of_client = limits_of("client", row.client_id, row.client_limits)
    return (*limits_of("key", row.key_id, row.key_limits), *of_client, *of_team)


def _all_of(*allowed: list[str] | None) -> frozenset[str] | None:
    """What every one of the sets allows; None allows all."""
    sets = [frozenset(names) for names in allowed if names is not None]
    return frozenset.intersection(*sets) if sets else None


def too_many_failures(wait_seconds: float) -> RateLimited:
    """What an address is told that has failed too often."""
    return RateLimited(
        "Too many failed authentications from this address. Check the API key, then try again later.",
        code=Refusal.LIMITED.value,
        retry_after=max(1.0, round(wait_seconds, 1)),
    )


def error_of(refusal: Refusal, wait_seconds: float) -> BrokerError:
    code = refusal.value
    match refusal:
        case Refusal.UNKNOWN | Refusal.DECOY:
            return Unauthenticated()
        case Refusal.EXPIRED:
            return Unauthenticated("This API key has expired. Regenerate it on the portal's Keys page.", code=code)
        case Refusal.REVOKED:
            return Unauthenticated("This API key was revoked. Create another on the portal's Keys page.", code=code)
        case Refusal.CLIENT_DISABLED:
            return PermissionDenied("The client of this API key is disabled. Ask an admin to enable it.", code=code)
        case Refusal.CREATOR:
            return PermissionDenied(
                "Whoever made this API key may no longer use its client. Who may rolls the key, which takes it over.",
                code=code,
            )
        case Refusal.LIMITED:
            return too_many_failures(wait_seconds)
        case Refusal.AWAY:
            return Overloaded(
                "API keys cannot be checked right now. Try again shortly.", code=code, retry_after=AWAY_SECONDS
            )
