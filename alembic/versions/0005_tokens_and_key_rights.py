"""Tokens: signing keys and what ended early; keys: from which addresses, and who may see one again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not null with a default, so that a release that does not know the column goes on making keys.
    op.add_column("client_key", sa.Column("token_version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("client_key", sa.Column("allowed_networks", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("key_secret", sa.Column("copy_owner_id", sa.String(length=40), nullable=True))
    op.create_table(
        "token_key",
        sa.Column("kid", sa.String(length=32), nullable=False),
        sa.Column("signs_from_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_table(
        "ended_token",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "id"),
    )
    op.create_index("ix_ended_token_expires_us", "ended_token", ["expires_us"])


def downgrade() -> None:
    op.drop_index("ix_ended_token_expires_us", "ended_token")
    op.drop_table("ended_token")
    op.drop_table("token_key")
    with op.batch_alter_table("key_secret") as batch_op:
        batch_op.drop_column("copy_owner_id")
    with op.batch_alter_table("client_key") as batch_op:
        batch_op.drop_column("allowed_networks")
        batch_op.drop_column("token_version")
