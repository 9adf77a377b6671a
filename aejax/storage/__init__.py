"""What is written to disk and read again: checkpoints under a digest, trees of arrays by name, JSON held to a form."""
