"""single sign-on: OpenID providers, identities, sign-ins under way, sessions they opened, whether passwords are off"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_FLAGS = ("has_secret", "makes_accounts", "trusts_addresses", "asks_second_factor", "is_private_allowed", "is_enabled")


def _us(name: str, *, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, length: int, *, is_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), primary_key=is_key, nullable=False)


def upgrade() -> None:
    op.create_table(
        "sso_provider",
        _text("id", 40, is_key=True),
        *(_text(name, length) for name, length in (("name", 32), ("label", 60), ("issuer", 512), ("client_id", 255))),
        *(_text(name, length) for name, length in (("scopes", 300), ("role_claim", 200))),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("domains", "admin_groups", "developer_groups")),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in _FLAGS),
        sa.Column("revision", sa.Integer(), nullable=False),
        _us("created_us"),
        _us("tried_us", nullable=True),
        sa.Column("tried", sa.Text(), nullable=False, server_default=""),
    )
    op.create_index("ix_sso_provider_name", "sso_provider", ["name"], unique=True)
    op.create_table(
        "sso_identity",
        _text("issuer", 512, is_key=True),
        _text("subject", 255, is_key=True),
        sa.Column("user_id", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        _us("created_us"),
        _us("last_used_us"),
    )
    op.create_index("ix_sso_identity_user_id", "sso_identity", ["user_id"])
    op.create_table(
        "sso_attempt",
        _text("id_hash", 64, is_key=True),
        *(
            _text(name, n)
            for name, n in (("provider_id", 40), ("purpose", 16), ("next_path", 512), ("session_hash", 64))
        ),
        _us("created_us"),
        _us("expires_us"),
    )
    op.create_index("ix_sso_attempt_expires_us", "sso_attempt", ["expires_us"])
    op.create_table(
        "sso_session",
        _text("session_hash", 64, is_key=True),
        _text("provider_id", 40),
        sa.Column("id_token", sa.LargeBinary(), nullable=False),
        _us("created_us"),
    )
    op.create_index("ix_sso_session_created_us", "sso_session", ["created_us"])
    op.create_table(
        "sso_rule",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.Column("break_glass_id", sa.String(40), nullable=True),
    )


def downgrade() -> None:
    for table in ("sso_rule", "sso_session", "sso_attempt", "sso_identity", "sso_provider"):
        op.drop_table(table)
