"""management by programs: people's access tokens, and calls with an Idempotency-Key"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "personal_token",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("user_id", sa.String(length=40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("public_id", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("last_used_us", sa.BigInteger(), nullable=True),
        sa.Column("last_address", sa.String(length=64), nullable=False),
    )
    op.create_index("ix_personal_token_user_id", "personal_token", ["user_id"])
    op.create_index("ix_personal_token_public_id", "personal_token", ["public_id"], unique=True)
    op.create_table(
        "management_call",
        sa.Column("user_id", sa.String(length=40), sa.ForeignKey("person.id"), primary_key=True),
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("lease_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
    )
    op.create_index("ix_management_call_expires_us", "management_call", ["expires_us"])


def downgrade() -> None:
    op.drop_table("management_call")
    op.drop_table("personal_token")
