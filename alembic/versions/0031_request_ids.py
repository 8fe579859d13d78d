"""the request log: what had to be tried again, what the cache had a part in, and ids that others know them by"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_SOUGHT = ("status", "outcome", "client_id", "key_id", "task", "provider", "model")
_INDEXES: dict[str, tuple[tuple[str, ...], str]] = {
    "ix_ledger_tried_again": (("started_us", "id", *_SOUGHT), "json_array_length(attempts) > 1"),
    "ix_ledger_cached": (("started_us", "id", "cache", *_SOUGHT), "cache IS NOT NULL"),
    "ix_ledger_trace": (("trace_id",), "trace_id IS NOT NULL"),
    "ix_ledger_upstream": (("upstream_id",), "upstream_id IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column("ledger_entry", sa.Column("trace_id", sa.String(length=32), nullable=True))
    op.add_column("ledger_entry", sa.Column("upstream_id", sa.String(length=100), nullable=True))
    for name, (columns, condition) in _INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "ledger_entry", list(columns), sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="ledger_entry")
    with op.batch_alter_table("ledger_entry") as batch_op:
        batch_op.drop_column("upstream_id")
        batch_op.drop_column("trace_id")
