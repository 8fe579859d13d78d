"""One file per vendor: pure translation between our form and theirs; no I/O."""
