"""The environment, read once, validated and frozen. Every setting of the product is listed here and in the README."""

import base64
import binascii
import dataclasses
import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiservice.kit.durations import parse_duration
from aiservice.kit.process import is_withheld, take_from_environment
from aiservice.kit.secret import Secret
from aiservice.kit.smtp_url import SmtpServer, parse_smtp_url

PREFIX = "AISERVICE_"
MASTER_KEY_BYTES = 32
_MAIL_FROM = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")

# Usual names of provider keys, with the connection name and address they would get. They are offered for import at the
# start and never used silently.
IMPORTABLE = {
    "OPENAI_API_KEY": ("openai", "https://api.openai.com/v1"),
    "ANTHROPIC_API_KEY": ("anthropic", "https://api.anthropic.com"),
    "GEMINI_API_KEY": ("gemini", "https://generativelanguage.googleapis.com/v1beta"),
    "MISTRAL_API_KEY": ("mistral", "https://api.mistral.ai/v1"),
    "GROQ_API_KEY": ("groq", "https://api.groq.com/openai/v1"),
    "DEEPSEEK_API_KEY": ("deepseek", "https://api.deepseek.com/v1"),
    "OPENROUTER_API_KEY": ("openrouter", "https://openrouter.ai/api/v1"),
    "TOGETHER_API_KEY": ("together", "https://api.together.xyz/v1"),
    "XAI_API_KEY": ("xai", "https://api.x.ai/v1"),
    "CEREBRAS_API_KEY": ("cerebras", "https://api.cerebras.ai/v1"),
    "FIREWORKS_API_KEY": ("fireworks", "https://api.fireworks.ai/inference/v1"),
    "COHERE_API_KEY": ("cohere", "https://api.cohere.com"),
    "VOYAGE_API_KEY": ("voyage", "https://api.voyageai.com/v1"),
    "JINA_API_KEY": ("jina", "https://api.jina.ai/v1"),
    "PERPLEXITY_API_KEY": ("perplexity", "https://api.perplexity.ai"),
    "DEEPGRAM_API_KEY": ("deepgram", "https://api.deepgram.com/v1"),
    "ELEVENLABS_API_KEY": ("elevenlabs", "https://api.elevenlabs.io/v1"),
}


NOT_ENVIRONMENT = frozenset({"importable_provider_keys", "sources"})
"""Fields of `Settings` that are no settings: worked out from how the others were found."""


class SettingsError(Exception):
    """A setting is unknown, missing or not valid; the message says which and what to write instead."""


@dataclass(slots=True, frozen=True)
class Deadlines:
    """Upstream deadlines in seconds. Heartbeats do not count as progress."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 900.0
    progress: float = 30.0
    first_event: float = 30.0
    """Of a stream: until it says something. Only where there is another provider to go to."""


@dataclass(slots=True, frozen=True)
class Settings:
    """All settings. `load_settings` is the only place that reads the environment."""

    data_dir: Path = Path("data")
    database_url: str | None = None
    redis_url: str | None = None
    portal_redis_url: str | None = None
    master_key: Secret | None = None
    master_key_file: Path | None = None
    metrics_token: Secret | None = None
    public_url: str | None = None
    admin_email: str | None = None
    admin_password: Secret | None = None
    signup: Literal["open", "invite", "closed"] = "invite"
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    smtp_url: SmtpServer | None = None
    mail_from: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    key_retrieval: Literal["off", "opt_in", "on"] = "opt_in"
    max_key_age: int | None = None
    default_key_expiry: int | None = None
    leaked_keys: Literal["revoke", "notify"] = "revoke"
    leak_scanner_keys: Path | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_payloads: Literal["off", "on"] = "off"
    payloads_kept: int = 7 * 86_400
    audit_kept: int | None = None
    ledger_sync: Literal["interval", "full"] = "interval"
    max_body_bytes: int = 20 * 1024 * 1024
    drain_seconds: float = 30.0
    connect_timeout: float = 5.0
    first_byte_timeout: float = 60.0
    idle_timeout: float = 60.0
    total_timeout: float = 900.0
    progress_timeout: float = 30.0
    stall_timeout: float = 30.0
    quota_wait: float = 2.0
    coalesce_wait: float = 30.0
    probe_every: float | None = None
    cache_bytes: int = 64 * 1024 * 1024
    importable_provider_keys: frozenset[str] = frozenset()
    sources: frozenset[tuple[str, str]] = frozenset()
    """(field, where it was found) of what was set: "environment" or ".env"."""

    @property
    def deadlines(self) -> Deadlines:
        return Deadlines(
            connect=self.connect_timeout,
            first_byte=self.first_byte_timeout,
            idle=self.idle_timeout,
            total=self.total_timeout,
            progress=self.progress_timeout,
            first_event=self.stall_timeout,
        )

    @property
    def is_sqlite(self) -> bool:
        return self.database_url is None or self.database_url.startswith("sqlite")

    @property
    def public_path(self) -> str:
        """The path that portal and API are reached under, from PUBLIC_URL: "/ai", or "" at the root of a host."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @property
    def effective_portal_redis_url(self) -> str | None:
        """Where copies of open pages' state are kept: by default the Redis database after `redis_url`'s own."""
        return self.portal_redis_url or (None if self.redis_url is None else _next_redis_database(self.redis_url))

    @property
    def effective_database_url(self) -> str:
        """The SQLAlchemy URL; the default is a SQLite file in the data directory."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'aiservice.sqlite'}"

    @property
    def journal_dir(self) -> Path:
        return self.data_dir / "journal"


def load_settings(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
    """Reads `environ` (default `os.environ`) over `dotenv`.

    Raises:
        SettingsError: an `AISERVICE_` name is unknown, or a value is not valid.
    """
    of_file, of_process = _read_dotenv(dotenv), _own_environment() if environ is None else environ
    values = {**of_file, **of_process}
    known = {f.name: f for f in dataclasses.fields(Settings) if f.name not in NOT_ENVIRONMENT}
    chosen: dict[str, Any] = {}
    for name, text in values.items():
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
            raise SettingsError(f"{name} is not a setting of aiservice.{hint}")
        if text.strip():
            chosen[key] = _convert(name, key, text.strip())
    found = {key: "environment" if f"{PREFIX}{key.upper()}" in of_process else ".env" for key in chosen}
    chosen["sources"] = frozenset(found.items())
    chosen["importable_provider_keys"] = frozenset(name for name in IMPORTABLE if values.get(name, "").strip())
    return _checked(Settings(**chosen))


def importable_keys(
    environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> dict[str, Secret]:
    """The provider keys that stand in the environment under their usual names, by variable; read when asked for."""
    values = {**_read_dotenv(dotenv), **(os.environ if environ is None else environ)}
    return {name: Secret(values[name].strip()) for name in IMPORTABLE if values.get(name, "").strip()}


def _own_environment() -> dict[str, str]:
    """This process's environment; the master key is taken out of it, so that no other process sees it."""
    master_key = take_from_environment(f"{PREFIX}MASTER_KEY")
    values = dict(os.environ)
    if master_key is not None:
        values[f"{PREFIX}MASTER_KEY"] = master_key.reveal_text()
    elif is_withheld(f"{PREFIX}MASTER_KEY"):
        raise SettingsError(
            f"The process that started this one keeps {PREFIX}MASTER_KEY to itself. Start this one by itself, or put "
            f"the key in a file and set {PREFIX}MASTER_KEY_FILE."
        )
    return values


_CHOICES: dict[str, tuple[str, ...]] = {
    "signup": ("open", "invite", "closed"),
    "key_retrieval": ("off", "opt_in", "on"),
    "leaked_keys": ("revoke", "notify"),
    "log_format": ("text", "json"),
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "log_payloads": ("off", "on"),
    "ledger_sync": ("interval", "full"),
}
_PATHS = {"data_dir", "master_key_file", "tls_cert", "tls_key", "leak_scanner_keys"}
_DURATIONS = {"max_key_age", "default_key_expiry", "payloads_kept", "audit_kept"}
_SECRETS = {"metrics_token", "admin_password"}
_BYTES = {"max_body_bytes", "cache_bytes"}
_SECONDS = {
    "drain_seconds",
    "connect_timeout",
    "first_byte_timeout",
    "idle_timeout",
    "total_timeout",
    "progress_timeout",
    "stall_timeout",
    "probe_every",
    "quota_wait",
    "coalesce_wait",
}


def _convert(name: str, key: str, text: str) -> Any:
    if key == "master_key":
        return decode_master_key(text, name)
    if key in _SECRETS:
        return Secret(text)
    if key in _PATHS:
        return Path(text)
    if key in _SECONDS:
        return _positive(name, text, float)
    if key in _DURATIONS:
        return _duration(name, text)
    if key == "smtp_url":
        try:
            return parse_smtp_url(text)
        except ValueError as exc:
            raise SettingsError(f"{name} cannot be used: {exc}.") from None
    if key in _BYTES:
        return _positive(name, text, int)
    if key == "trusted_proxies":
        return _networks(name, text)
    if key in _CHOICES:
        value = text.upper() if key == "log_level" else text.lower()
        if value not in _CHOICES[key]:
            raise SettingsError(f"{name} must be one of {', '.join(_CHOICES[key])}.")
        return value
    return text


def _positive(name: str, text: str, kind: type[int] | type[float]) -> int | float:
    try:
        number = kind(text)
    except ValueError:
        raise SettingsError(f"{name} must be a number.") from None
    if not 0 < number < 1e12:
        raise SettingsError(f"{name} must be greater than 0.")
    return number


def _duration(name: str, text: str) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None
    if seconds < 1:
        raise SettingsError(f"{name} must be at least a second. Leave it out for no such rule.")
    return seconds


def _networks(name: str, text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError:
        raise SettingsError(f"{name} must be addresses or networks, separated by commas.") from None


def decode_master_key(text: str, name: str) -> Secret:
    """A master key from base64.

    Raises:
        SettingsError: not exactly 32 bytes of base64 (a passphrase is not a key).
    """
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise SettingsError(f"{name} must be base64 of exactly 32 bytes. Make one with: openssl rand -base64 32")
    return Secret(key)


def _checked(settings: Settings) -> Settings:
    if settings.master_key is not None and settings.master_key_file is not None:
        raise SettingsError(f"Set {PREFIX}MASTER_KEY or {PREFIX}MASTER_KEY_FILE, not both.")
    if settings.max_key_age and settings.default_key_expiry and settings.default_key_expiry > settings.max_key_age:
        raise SettingsError(f"{PREFIX}DEFAULT_KEY_EXPIRY is longer than {PREFIX}MAX_KEY_AGE.")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingsError(f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY belong together: set both or neither.")
    if settings.database_url and not settings.database_url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
        raise SettingsError(
            f"{PREFIX}DATABASE_URL must start with postgresql+asyncpg:// (or sqlite+aiosqlite:// for a file)."
        )
    for name, url in (("REDIS_URL", settings.redis_url), ("PORTAL_REDIS_URL", settings.portal_redis_url)):
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError(f"{PREFIX}{name} must start with redis:// (or rediss://, or unix://).")
    try:
        _ = settings.effective_portal_redis_url
    except ValueError:
        raise SettingsError(f"{PREFIX}REDIS_URL must end in the number of a database, or in nothing.") from None
    if settings.portal_redis_url and settings.redis_url is None:
        raise SettingsError(f"{PREFIX}PORTAL_REDIS_URL is of use only beside {PREFIX}REDIS_URL.")
    if settings.public_url and not settings.public_url.startswith(("http://", "https://")):
        raise SettingsError(f"{PREFIX}PUBLIC_URL must start with http:// or https://.")
    if settings.mail_from and not _MAIL_FROM.fullmatch(settings.mail_from):
        raise SettingsError(f"{PREFIX}MAIL_FROM must be one e-mail address, such as aiservice@example.com.")
    if (settings.admin_email is None) != (settings.admin_password is None):
        raise SettingsError(f"{PREFIX}ADMIN_EMAIL and {PREFIX}ADMIN_PASSWORD belong together: set both or neither.")
    return settings


def _next_redis_database(url: str) -> str:
    """The same server, the next database: its number is the path, or `db` in the query (where a socket is the path)."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "unix":
        return f"unix://{parts.path}?{urlencode({**query, 'db': int(query.get('db') or 0) + 1})}"
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + 1}"))


def _read_dotenv(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        stripped = line.strip().removeprefix("export ")
        if not stripped or stripped.startswith("#") or "=" not in stripped:
            continue
        name, _, value = stripped.partition("=")
        values[name.strip()] = value.strip().strip("'\"")
    return values
