"""Training: the step, its context and batches, the loop over compiled chunks, and evaluation of whole splits."""
