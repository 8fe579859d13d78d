"""more keys of a provider connection, beside its first"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_key",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("connection_id", sa.String(length=40), sa.ForeignKey("provider_connection.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("rpm", sa.Integer(), nullable=True),
        sa.Column("tpm", sa.BigInteger(), nullable=True),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("key_hint", sa.String(length=8), nullable=False),
        sa.Column("key_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("tested_us", sa.BigInteger(), nullable=True),
        sa.Column("test_result", sa.String(length=300), nullable=False),
        sa.UniqueConstraint("connection_id", "number", name="uq_provider_key_number"),
    )
    op.create_index("ix_provider_key_connection_id", "provider_key", ["connection_id"])


def downgrade() -> None:
    op.drop_table("provider_key")
