"""second factors: authenticator apps, passkeys, recovery codes, and who must have one"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def _person() -> sa.Column[str]:
    return sa.Column("user_id", sa.String(length=40), sa.ForeignKey("person.id"), nullable=False)


def _row_number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "totp",
        sa.Column("id", sa.String(length=40), primary_key=True),
        _person(),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_us", sa.BigInteger(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "passkey",
        sa.Column("id", sa.String(length=40), primary_key=True),
        _person(),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("rp_id", sa.String(length=253), nullable=False),
        sa.Column("is_synced", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("last_used_us", sa.BigInteger(), nullable=True),
        sa.Column("regressed_us", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_passkey_credential_id", "passkey", ["credential_id"], unique=True)
    op.create_table(
        "recovery_code",
        sa.Column("id", _row_number(), primary_key=True, autoincrement=True),
        _person(),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "held_sign_in",
        sa.Column("id_hash", sa.String(length=64), primary_key=True),
        _person(),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "passkey_challenge",
        sa.Column("holder", sa.String(length=64), primary_key=True),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "sign_in_rule",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("second_factor", sa.String(length=16), nullable=False),
    )
    for table in ("totp", "passkey", "recovery_code", "held_sign_in"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])
    for table in ("held_sign_in", "passkey_challenge"):
        op.create_index(f"ix_{table}_expires_us", table, ["expires_us"])


def downgrade() -> None:
    for table in ("sign_in_rule", "passkey_challenge", "held_sign_in", "recovery_code", "passkey", "totp"):
        op.drop_table(table)
