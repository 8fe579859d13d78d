"""the answer cache: similar questions, how they are judged, and what came of it"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_POLICY: dict[str, Any] = {
    "similar_permille": sa.Integer(),
    "embeddings": sa.String(length=300),
    "judged_percent": sa.Integer(),
    "least_precision_percent": sa.Integer(),
    "similar_off_us": sa.BigInteger(),
    "precision_percent": sa.Integer(),
}
_COUNTS = ("similar", "judged", "agreed")


def upgrade() -> None:
    for name, kind in _POLICY.items():
        op.add_column("cache_policy", sa.Column(name, kind, nullable=True))
    for name in _COUNTS:  # a worker of the release before adds hours without them
        op.add_column("cache_hour", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for table, names in (("cache_hour", _COUNTS), ("cache_policy", tuple(_POLICY))):
        with op.batch_alter_table(table) as batch_op:
            for name in names:
                batch_op.drop_column(name)
