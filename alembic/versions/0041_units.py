"""units: what is not counted in tokens (images, seconds of sound, characters, searches), in the ledger and its sums"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_TABLES = (
    *("usage_minute", "usage_hour", "usage_day", "usage_span"),
    *("usage_model_hour", "usage_model_day", "usage_client_hour", "usage_client_day"),
)
_NAMES = ("images", "seconds", "characters", "searches")


def upgrade() -> None:
    op.add_column("ledger_entry", sa.Column("units", sa.BigInteger(), nullable=True))
    op.add_column("ledger_entry", sa.Column("unit", sa.String(length=10), nullable=True))
    for table in _TABLES:  # a worker of the release before adds and folds without them
        for name in _NAMES:
            op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch_op:
            for name in _NAMES:
                batch_op.drop_column(name)
    with op.batch_alter_table("ledger_entry") as batch_op:
        batch_op.drop_column("unit")
        batch_op.drop_column("units")
