"""Budgets: their windows, the slices that workers hold of them, and which of them a row of the ledger is charged to"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("measure", sa.String(length=10), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("is_rolling", sa.Boolean(), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("warn_percent", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("unpriced_models", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("cap > 0", name="budget_cap_range"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_budget_subject", "budget", ["subject", "measure", "period"], unique=True)
    op.create_table(
        "budget_window",
        sa.Column("budget_id", sa.String(length=40), nullable=False),
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("warned_percent", sa.Integer(), nullable=False),
        sa.CheckConstraint("spent >= 0", name="budget_spent_range"),
        sa.CheckConstraint("reserved >= 0", name="budget_reserved_range"),
        sa.PrimaryKeyConstraint("budget_id", "start_us"),
    )
    op.create_table(
        "budget_slice",
        sa.Column("budget_id", sa.String(length=40), nullable=False),
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount >= 0", name="budget_slice_range"),
        sa.PrimaryKeyConstraint("budget_id", "start_us", "holder"),
    )
    op.add_column("ledger_entry", sa.Column("budgets", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("ledger_entry", "budgets")
    for table in ("budget_slice", "budget_window", "budget"):
        op.drop_table(table)
