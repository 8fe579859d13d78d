"""Provider connections: what an admin states of their models"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("provider_connection", sa.Column("capabilities", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("provider_connection") as batch_op:
        batch_op.drop_column("capabilities")
