"""key secrets: who still calls with one that is being rolled out"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outgoing_use",
        sa.Column("public_id", sa.String(length=12), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("public_id", "start_us"),
    )


def downgrade() -> None:
    op.drop_table("outgoing_use")
