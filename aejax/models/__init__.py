"""Autoencoders as pairs of pure functions; the only part of aejax that knows Flax."""
