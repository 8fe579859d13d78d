"""an admin's own prices of models, before the published ones"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_price",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("amounts", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("set_by", sa.String(length=320), nullable=False),
        sa.Column("set_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("kind", "model", name="uq_own_price_kind_model"),
    )


def downgrade() -> None:
    op.drop_table("own_price")
