"""routing: what a connection's provider does with data and where it is, and the decision that each request went by"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("provider_connection", sa.Column("data_collection", sa.String(length=5), nullable=True))
    op.add_column("provider_connection", sa.Column("is_zdr", sa.Boolean(), nullable=True))
    op.add_column("provider_connection", sa.Column("region", sa.String(length=32), nullable=True))
    op.add_column("ledger_entry", sa.Column("decision", sa.String(length=40), nullable=True))
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("decision")
    op.drop_column("ledger_entry", "decision")
    op.drop_column("provider_connection", "region")
    op.drop_column("provider_connection", "is_zdr")
    op.drop_column("provider_connection", "data_collection")
