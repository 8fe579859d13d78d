"""The management API, walked row by row over one gateway in this process."""
