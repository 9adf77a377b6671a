"""What lies on disk: what is read there is held against its form, and a run's folder says who made it."""
