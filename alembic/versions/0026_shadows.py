"""shadow traffic: rules, and what came of the calls"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "shadow_rule",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("client_id", sa.String(40), sa.ForeignKey("client.id"), nullable=False),
        sa.Column("task", sa.String(40), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id", "task"),
    )
    op.create_table(
        "shadow_attempt",
        sa.Column("id", _ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("rule_id", sa.String(40), nullable=False),
        sa.Column("request_id", sa.String(40), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("real_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(64), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_shadow_attempt_at_us", "shadow_attempt", ["at_us"])
    op.create_index("ix_shadow_attempt_rule_id", "shadow_attempt", ["rule_id"])


def downgrade() -> None:
    op.drop_table("shadow_attempt")
    op.drop_table("shadow_rule")
