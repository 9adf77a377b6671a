"""A run and its folder: train, evaluate, draw, and apply the trained net to new rows."""
