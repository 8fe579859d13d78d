"""SQLModel tables, one file a noun. Times are microseconds UTC (`_us`), money is 10⁻⁹ USD (`_nano_usd`)."""

from sqlmodel import SQLModel

from aiservice.tables.abuse import AbuseHour, AbuseMinute, AbusePolicy, Sanction
from aiservice.tables.alerts import AlertChannel, AlertCourse, AlertDelivery, AlertEvent, AlertMute, AlertRule
from aiservice.tables.audit import AuditCheckpoint, AuditEntry, AuditHead
from aiservice.tables.bodies import SealedBody
from aiservice.tables.budgets import Budget, BudgetSlice, BudgetWindow
from aiservice.tables.cache import CacheHour, CachePolicy, CachePurge
from aiservice.tables.changes import Change
from aiservice.tables.clients import Client, ClientKey, KeySecret, OutgoingUse, Team
from aiservice.tables.cluster import Lease, Worker
from aiservice.tables.connections import Connection, MasterKeyVersion, ProviderKey, SealedSecret
from aiservice.tables.factors import HeldSignIn, Passkey, PasskeyChallenge, RecoveryCode, SignInRule, Totp
from aiservice.tables.idempotency import IdempotentCall, Replay
from aiservice.tables.ledger import (
    Decision,
    Horizon,
    LedgerEntry,
    RollupDirty,
    UsageClientDay,
    UsageClientHour,
    UsageClientModelDay,
    UsageDay,
    UsageHour,
    UsageMinute,
    UsageModelDay,
    UsageModelHour,
    UsageSpan,
)
from aiservice.tables.management import ManagementCall, PersonalToken
from aiservice.tables.people import OneTimeLink, PortalSession, SignInAttempt, User
from aiservice.tables.preferences import ModelAlias, Preference, RoutingVersion
from aiservice.tables.prices import OwnPrice
from aiservice.tables.reveals import KeyReveal
from aiservice.tables.shadows import ShadowAttempt, ShadowRule
from aiservice.tables.sso import SsoAttempt, SsoIdentity, SsoProvider, SsoRule, SsoSession
from aiservice.tables.tokens import EndedToken, TokenKey
from aiservice.tables.vendors import Vendor

metadata = SQLModel.metadata

__all__ = [
    "AbuseHour",
    "AbuseMinute",
    "AbusePolicy",
    "AlertChannel",
    "AlertCourse",
    "AlertDelivery",
    "AlertEvent",
    "AlertMute",
    "AlertRule",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditHead",
    "Budget",
    "BudgetSlice",
    "BudgetWindow",
    "CacheHour",
    "CachePolicy",
    "CachePurge",
    "Change",
    "Client",
    "ClientKey",
    "Connection",
    "Decision",
    "EndedToken",
    "HeldSignIn",
    "Horizon",
    "IdempotentCall",
    "KeyReveal",
    "KeySecret",
    "Lease",
    "LedgerEntry",
    "ManagementCall",
    "MasterKeyVersion",
    "ModelAlias",
    "OneTimeLink",
    "OutgoingUse",
    "OwnPrice",
    "Passkey",
    "PasskeyChallenge",
    "PersonalToken",
    "PortalSession",
    "Preference",
    "ProviderKey",
    "RecoveryCode",
    "Replay",
    "RollupDirty",
    "RoutingVersion",
    "Sanction",
    "SealedBody",
    "SealedSecret",
    "ShadowAttempt",
    "ShadowRule",
    "SignInAttempt",
    "SignInRule",
    "SsoAttempt",
    "SsoIdentity",
    "SsoProvider",
    "SsoRule",
    "SsoSession",
    "Team",
    "TokenKey",
    "Totp",
    "UsageClientDay",
    "UsageClientHour",
    "UsageClientModelDay",
    "UsageDay",
    "UsageHour",
    "UsageMinute",
    "UsageModelDay",
    "UsageModelHour",
    "UsageSpan",
    "User",
    "Vendor",
    "Worker",
    "metadata",
]
