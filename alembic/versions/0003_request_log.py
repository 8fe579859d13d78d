"""What the request log shows and searches by: the broker's own time, and indexes on when a request began."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("outcome <> 'finished'")


def upgrade() -> None:
    op.add_column("ledger_entry", sa.Column("overhead_us", sa.BigInteger(), nullable=True))
    op.create_index("ix_ledger_client_started", "ledger_entry", ["client_id", "started_us", "key_id"])
    op.create_index(
        "ix_ledger_unfinished",
        "ledger_entry",
        ["started_us", "id", "status", "outcome", "client_id", "key_id", "task", "provider", "model"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.drop_index("ix_ledger_client_id_id", "ledger_entry")


def downgrade() -> None:
    op.create_index("ix_ledger_client_id_id", "ledger_entry", ["client_id", "id"])
    op.drop_index("ix_ledger_unfinished", "ledger_entry")
    op.drop_index("ix_ledger_client_started", "ledger_entry")
    op.drop_column("ledger_entry", "overhead_us")
