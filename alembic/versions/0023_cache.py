"""The answer cache: policies, purges, what it saved, and its word in the ledger"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_COUNTS = ("hits", "coalesced", "misses", "saved_tokens", "saved_nano_usd", "saved_us")


def upgrade() -> None:
    op.create_table(
        "cache_policy",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("task", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=5), nullable=False),
        sa.Column("ttl_seconds", sa.Integer(), nullable=False),
        sa.Column("most_ttl_seconds", sa.Integer(), nullable=False),
        sa.Column("shared_by", sa.String(length=10), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject", "task"),
    )
    op.create_table(
        "cache_purge",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("purged_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_table(
        "cache_hour",
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("task", sa.String(length=40), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS],
        sa.PrimaryKeyConstraint("start_us", "client_id", "task"),
    )
    op.add_column("ledger_entry", sa.Column("cache", sa.String(length=10), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("ledger_entry") as batch_op:
        batch_op.drop_column("cache")
    for table in ("cache_hour", "cache_purge", "cache_policy"):
        op.drop_table(table)
