"""keys: those that work, with limits and without, newest first, by an index of each"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_client_key_limited": "limits IS NOT NULL AND revoked_us IS NULL",
    "ix_client_key_unlimited": "limits IS NULL AND revoked_us IS NULL",
}


def upgrade() -> None:
    for name, condition in _INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "client_key", ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="client_key")
