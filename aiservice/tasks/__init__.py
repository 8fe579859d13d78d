"""One file per kind of AI work: how to recognise it, its input and output, how to estimate it."""
