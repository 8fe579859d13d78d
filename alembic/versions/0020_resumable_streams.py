"""idempotent calls: the settlement that goes with an answer, and what a stream needs to be resumed"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idempotent_call", sa.Column("settlement", sa.LargeBinary(), nullable=True))
    op.add_column("idempotent_call", sa.Column("rights", sa.LargeBinary(length=32), nullable=True))
    op.add_column("idempotent_call", sa.Column("surface", sa.String(length=30), nullable=True))
    op.create_index("ix_idempotent_call_request_id", "idempotent_call", ["request_id"])


def downgrade() -> None:
    op.drop_index("ix_idempotent_call_request_id", "idempotent_call")
    with op.batch_alter_table("idempotent_call") as batch:
        for name in ("surface", "rights", "settlement"):
            batch.drop_column(name)
