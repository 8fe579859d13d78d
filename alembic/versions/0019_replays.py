"""replays: which requests got the answer of another"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answer_replay",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("original_id", sa.String(length=40), nullable=False),
        sa.Column("replayed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_answer_replay_original_id", "answer_replay", ["original_id"])
    op.create_index("ix_answer_replay_replayed_us", "answer_replay", ["replayed_us"])


def downgrade() -> None:
    op.drop_table("answer_replay")
