"""How scores, gaps, overlap risk and targets come about. Standard library only; no clock, no I/O."""
