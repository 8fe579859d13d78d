"""client limits: what clients and keys may use per window of time, and at once"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("client", "client_key"):
        op.add_column(table, sa.Column("limits", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    for table in ("client_key", "client"):
        op.drop_column(table, "limits")
