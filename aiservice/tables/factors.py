"""Second factors of people: authenticator apps, passkeys, recovery codes; sign-ins that wait for one, and the rule that
says who must have one."""

from sqlmodel import Field

from aiservice.tables._base import Table, big, row_number


class Totp(Table, table=True):
    """An authenticator app. Its secret is in the vault under this id; it counts once a code has proved it
    (`confirmed_us`). `last_step`: the 30 seconds whose code was taken last; no older one is."""

    __tablename__ = "totp"

    id: str = Field(primary_key=True, max_length=40)
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    created_us: int = big()
    confirmed_us: int | None = big(nullable=True)
    last_step: int = big(default=0)


class Passkey(Table, table=True):
    """A passkey, for the host name `rp_id` alone. `credential_id` is base64url. `counter` is its own count of uses as
    last seen; `regressed_us`: when it last went back, which a copy of the passkey would explain."""

    __tablename__ = "passkey"

    id: str = Field(primary_key=True, max_length=40)
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    credential_id: str = Field(unique=True, index=True, max_length=1400)
    public_key: bytes
    counter: int = big(default=0)
    name: str = Field(max_length=60)
    rp_id: str = Field(max_length=253)
    is_synced: bool = False
    created_us: int = big()
    last_used_us: int | None = big(nullable=True)
    regressed_us: int | None = big(nullable=True)


class RecoveryCode(Table, table=True):
    """A code that stands in for a lost factor, once. Only an HMAC of it is kept."""

    __tablename__ = "recovery_code"

    id: int | None = row_number()
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    code_hash: str = Field(max_length=64)
    created_us: int = big()
    used_us: int | None = big(nullable=True)


class HeldSignIn(Table, table=True):
    """A sign-in whose password was right and that waits for a second factor. `id_hash` is SHA-256 (hex) of a cookie
    that opens nothing else."""

    __tablename__ = "held_sign_in"

    id_hash: str = Field(primary_key=True, max_length=64)
    user_id: str = Field(index=True, foreign_key="person.id", max_length=40)
    created_us: int = big()
    expires_us: int = big(index=True)


class PasskeyChallenge(Table, table=True):
    """What a passkey is to sign, once: for one browser (`holder` is the hash of its cookie) and one purpose."""

    __tablename__ = "passkey_challenge"

    holder: str = Field(primary_key=True, max_length=64)
    purpose: str = Field(max_length=16)
    challenge: bytes
    expires_us: int = big(index=True)


class SignInRule(Table, table=True):
    """The one row (id 1) of what admins ask of a sign-in: `second_factor` of "nobody", "admins" or "everybody"."""

    __tablename__ = "sign_in_rule"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    second_factor: str = Field(max_length=16)
