"""What a key rests on: the bounds of its client and who made it; leaks and looks at sealed copies."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("client", sa.Column("allowed_scopes", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("client", sa.Column("allowed_networks", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("client_key", sa.Column("creator_id", sa.String(length=40), nullable=True))
    op.add_column("client_key", sa.Column("leaked_us", sa.BigInteger(), nullable=True))
    op.add_column("portal_session", sa.Column("confirmed_us", sa.BigInteger(), nullable=True))
    op.create_table(
        "key_reveal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("public_id", sa.String(length=12), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_key_reveal_at_us", "key_reveal", ["at_us"])


def downgrade() -> None:
    op.drop_index("ix_key_reveal_at_us", "key_reveal")
    op.drop_table("key_reveal")
    with op.batch_alter_table("portal_session") as batch_op:
        batch_op.drop_column("confirmed_us")
    with op.batch_alter_table("client_key") as batch_op:
        batch_op.drop_column("leaked_us")
        batch_op.drop_column("creator_id")
    with op.batch_alter_table("client") as batch_op:
        batch_op.drop_column("allowed_networks")
        batch_op.drop_column("allowed_scopes")
