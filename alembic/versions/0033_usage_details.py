"""usage: first bytes, fallbacks, cache writes and how requests ended, in the roll-ups"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_TABLES = ("usage_minute", "usage_hour", "usage_day")
_NAMES = ("cache_write_tokens", "fallbacks", "refused", "limited", "cut", "hung_up", *(f"first_{n}" for n in range(14)))


def upgrade() -> None:
    for table in _TABLES:  # a worker of the release before adds and folds without them
        for name in _NAMES:
            op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    # What was summed without them is not known, which is not 0.
    newest = "SELECT 'usage_detail', MAX(start_us) + 60000000 FROM usage_minute HAVING MAX(start_us) > 0"
    op.execute(f"INSERT INTO horizon (name, before_us) {newest}")


def downgrade() -> None:
    op.execute("DELETE FROM horizon WHERE name = 'usage_detail'")
    for table in _TABLES:
        with op.batch_alter_table(table) as batch_op:
            for name in _NAMES:
                batch_op.drop_column(name)
