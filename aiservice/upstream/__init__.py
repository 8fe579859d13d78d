"""The only door out: connection pools, deadlines, the address guard, foreign errors mapped by a table."""
