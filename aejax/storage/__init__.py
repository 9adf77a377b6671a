"""What is written to disk and read again: checkpoints under a digest, and trees of arrays by name."""
