"""teams: clients that share limits"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "team",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("allowed_connections", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("allowed_models", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("limits", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_team_name", "team", ["name"], unique=True)
    # In words: Alembic would add the reference to SQLite by copying the whole table.
    op.execute("ALTER TABLE client ADD COLUMN team_id VARCHAR(40) REFERENCES team (id)")
    op.create_index("ix_client_team_id", "client", ["team_id"])


def downgrade() -> None:
    op.drop_index("ix_client_team_id", "client")
    with op.batch_alter_table("client") as batch_op:
        batch_op.drop_column("team_id")
    op.drop_index("ix_team_name", "team")
    op.drop_table("team")
