"""One file per client surface: pure translation between what clients speak and our form; no I/O."""
