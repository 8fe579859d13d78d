"""abuse: what is counted beside the ledger, sanctions, policies, decoy keys"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "abuse_minute",
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("worker_id", sa.String(length=40), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("prompts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("start_us", "client_id", "worker_id"),
    )
    op.create_table(
        "abuse_hour",
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("start_us", "client_id"),
    )
    op.create_table(
        "sanction",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("policy", sa.String(length=12), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("undone_us", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.String(length=320), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sanction_client_id", "sanction", ["client_id"])
    op.create_index("ix_sanction_since_us", "sanction", ["since_us"])
    op.create_table(
        "abuse_policy",
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("policy", sa.String(length=12), nullable=True),
        sa.Column("ceilings", sa.JSON(), nullable=True),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.add_column("client", sa.Column("sanction", sa.JSON(), nullable=True))
    op.add_column("client_key", sa.Column("is_decoy", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("client_key", "is_decoy")
    op.drop_column("client", "sanction")
    for table in ("abuse_policy", "sanction", "abuse_hour", "abuse_minute"):
        op.drop_table(table)
