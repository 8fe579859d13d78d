"""Work on a clock."""
