"""What an OpenID provider is configured with, checked, and what a person's claims come to by it. No I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from aiservice.errors import BrokerError, InvalidRequest, PermissionDenied, Unprocessable
from aiservice.principal import Role
from aiservice.services.emails import checked_email
from aiservice.services.names import clean_name
from aiservice.tables import SsoProvider
from aiservice.upstream.guard import check_base_url

DEFAULT_SCOPES = "openid email profile"
MAX_LISTED = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,255}")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")


class Edit(TypedDict, total=False):
    """What may be changed of a provider. Its issuer may not: it is another one then."""

    label: str
    client_id: str
    scopes: str
    domains: Sequence[str]
    role_claim: str
    admin_groups: Sequence[str]
    developer_groups: Sequence[str]
    makes_accounts: bool
    trusts_addresses: bool
    asks_second_factor: bool
    is_private_allowed: bool


@dataclass(slots=True, frozen=True)
class SsoView:
    """A provider as admins see it; its client secret is never in it. `tried` is JSON of the last test, or ""."""

    id: str
    name: str
    label: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: str
    domains: tuple[str, ...]
    role_claim: str
    admin_groups: tuple[str, ...]
    developer_groups: tuple[str, ...]
    makes_accounts: bool
    trusts_addresses: bool
    asks_second_factor: bool
    is_private_allowed: bool
    is_enabled: bool
    people: int
    redirect_uri: str
    signed_out_uri: str
    tried: str
    tried_us: int | None


def clean_name_of(name: str) -> str:
    """Raises: Unprocessable: it may not stand in an address (`invalid_name`)."""
    if not _NAME.fullmatch(name):
        message = "The name has 1 to 32 characters: lower case letters, digits and hyphens. It stands in the address."
        raise Unprocessable(message, code="invalid_name", param="name")
    return name


def clean_issuer(issuer: str, *, is_private_allowed: bool) -> str:
    """The issuer as the provider writes it, which is compared letter by letter.

    Raises:
        InvalidRequest, Unprocessable: not https, or an address that may not be called (`invalid_issuer`).
    """
    text = issuer.strip().removesuffix("/.well-known/openid-configuration")
    try:
        check_base_url(text, is_private_allowed)
    except (InvalidRequest, Unprocessable) as exc:
        words = exc.message.replace("base URL", "issuer").replace("connections", "providers")
        words = words.replace("connection", "provider")
        raise Unprocessable(words, code="invalid_issuer", param="issuer") from None
    return text


def apply(row: SsoProvider, edit: Edit) -> None:
    """Writes the checked values into the row. Raises: Unprocessable: one is not valid (named in `param`)."""
    if "label" in edit:
        row.label = clean_name(edit["label"], "button")[:60]
    if "client_id" in edit:
        row.client_id = _fitting(edit["client_id"].strip(), _CLIENT_ID, "client_id", "The client id")
    if "scopes" in edit:
        row.scopes = _clean_scopes(edit["scopes"])
    if "domains" in edit:
        row.domains = _listed([text.lower().removeprefix("@") for text in edit["domains"]], "domains", _DOMAIN)
    if "role_claim" in edit:
        row.role_claim = edit["role_claim"].strip()[:200]
    if "admin_groups" in edit:
        row.admin_groups = _listed(edit["admin_groups"], "admin_groups")
    if "developer_groups" in edit:
        row.developer_groups = _listed(edit["developer_groups"], "developer_groups")
    row.makes_accounts = edit.get("makes_accounts", row.makes_accounts)
    row.trusts_addresses = edit.get("trusts_addresses", row.trusts_addresses)
    row.asks_second_factor = edit.get("asks_second_factor", row.asks_second_factor)
    row.is_private_allowed = edit.get("is_private_allowed", row.is_private_allowed)
    if (row.admin_groups or row.developer_groups) and not row.role_claim:
        message = "Name the claim that holds the groups, such as 'groups'."
        raise Unprocessable(message, code="invalid_value", param="role_claim")
    if row.role_claim and not (row.admin_groups or row.developer_groups):
        message = "Say which groups are admins, or which are developers: without any the claim says nothing."
        raise Unprocessable(message, code="invalid_value", param="admin_groups")


@dataclass(slots=True, frozen=True)
class Known:
    """Whom a provider says is there: `email` is None where it says none; `is_verified`: it has seen to the address."""

    issuer: str
    subject: str
    email: str | None
    is_verified: bool
    role: Role | None


def known_by(row: SsoProvider, claims: Mapping[str, Any]) -> Known:
    """What the claims come to.

    Raises:
        PermissionDenied: `sso_domain_refused`; `sso_no_role` where none of the person's groups may come in, and
            `sso_groups_left_out` where the provider did not say which they are.
    """
    email = _email(claims.get("email"))
    said = claims.get("email_verified")
    is_verified = email is not None and (row.trusts_addresses or said is True or said == "true")
    if row.domains and (email is None or not is_verified or email.rpartition("@")[2] not in row.domains):
        raise PermissionDenied(
            f"Only people with an address at {', '.join(row.domains)} may come in this way"
            f"{'' if email is None else f'; {row.label} says {email}'}. Choose another account there.",
            code="sso_domain_refused",
        )
    return Known(row.issuer, str(claims["sub"]), email, is_verified, _role(row, claims))


def groups_in(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """The texts of a claim: one, or a list. A dotted name leads into objects where there is no claim of that very name
    (Keycloak's `realm_access.roles`)."""
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for step in claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset({found})
    return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()


def _are_left_out(claims: Mapping[str, Any], claim: str) -> bool:
    """Whether the token only names where the claim is (OpenID Connect Core §5.6.2), as Entra ID's do of somebody with
    more than 200 groups. It is not fetched from there; and nobody's role changes because it is missing."""
    elsewhere = claims.get("_claim_names")
    return claim not in claims and isinstance(elsewhere, Mapping) and claim in elsewhere


def _role(row: SsoProvider, claims: Mapping[str, Any]) -> Role | None:
    """What the groups say; None where no claim is asked."""
    if not row.role_claim:
        return None
    if _are_left_out(claims, row.role_claim):
        raise PermissionDenied(
            f"{row.label} left your groups out: there are more of them than its tokens hold (_claim_names has "
            f"'{row.role_claim}'). An admin there has it send only the groups that are assigned to this application, "
            "or app roles, in the claim 'roles'.",
            code="sso_groups_left_out",
        )
    groups = groups_in(claims, row.role_claim)
    if groups & set(row.admin_groups):
        return Role.ADMIN
    if not row.developer_groups or groups & set(row.developer_groups):
        return Role.DEVELOPER
    raise PermissionDenied(
        f"None of your groups at {row.label} may use this. Ask an admin; the claim '{row.role_claim}' had "
        f"{len(groups)} of them.",
        code="sso_no_role",
    )


def _email(said: object) -> str | None:
    try:
        return checked_email(said) if isinstance(said, str) else None
    except BrokerError:
        return None


def _clean_scopes(text: str) -> str:
    words = list(dict.fromkeys(text.split()))
    for word in words:
        _fitting(word, _SCOPE, "scopes", "A scope")
    if "openid" not in words:
        words.insert(0, "openid")  # without it, it is no OpenID sign-in
    joined = " ".join(words)
    if len(joined) > 300:
        raise Unprocessable("Those are too many scopes.", code="invalid_value", param="scopes")
    return joined


def _listed(given: Sequence[str], param: str, form: re.Pattern[str] | None = None) -> list[str]:
    values = list(dict.fromkeys(text.strip() for text in given if text.strip()))
    if len(values) > MAX_LISTED or any(len(value) > 255 or not value.isprintable() for value in values):
        message = f"At most {MAX_LISTED} of them, each of at most 255 printable characters."
        raise Unprocessable(message, code="invalid_value", param=param)
    for value in values:
        if form is not None:
            _fitting(value, form, param, "A domain such as example.org")
    return values


def _fitting(text: str, form: re.Pattern[str], param: str, what: str) -> str:
    if not form.fullmatch(text):
        raise Unprocessable(f"{what} is not written like that.", code="invalid_value", param=param)
    return text
