"""terms: preferences of platform, teams, clients and keys, names for models, and every version of both"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("preference", sa.Column("scope", sa.String(length=10), nullable=False, server_default="client"))
    op.add_column("preference", sa.Column("subject", sa.String(length=40), nullable=True))
    op.add_column("preference", sa.Column("terms", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("preference") as batch_op:
        batch_op.alter_column("client_id", existing_type=sa.String(length=40), nullable=True)
    op.execute("UPDATE preference SET subject = client_id")
    op.create_index("ix_preference_subject", "preference", ["scope", "subject", "task"], unique=True)
    op.create_table(
        "model_alias",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_model_alias_name", "model_alias", ["scope", "subject", "name"], unique=True)
    op.create_table(
        "routing_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("reverted_to", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_routing_version_subject", "routing_version", ["scope", "subject", "kind", "name", "id"])


def downgrade() -> None:
    for table in ("routing_version", "model_alias"):
        op.drop_table(table)
    op.drop_index("ix_preference_subject", "preference")
    op.execute("DELETE FROM preference WHERE client_id IS NULL")
    with op.batch_alter_table("preference") as batch_op:
        batch_op.alter_column("client_id", existing_type=sa.String(length=40), nullable=False)
        for column in ("terms", "subject", "scope"):
            batch_op.drop_column(column)
