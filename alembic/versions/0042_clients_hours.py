"""usage: the hours of one client, or of a developer's, are found without reading those of all"""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_usage_client_hour_client", "usage_client_hour", ["client_id", "start_us"])


def downgrade() -> None:
    op.drop_index("ix_usage_client_hour_client", "usage_client_hour")
