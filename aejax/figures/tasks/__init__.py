"""What single tasks have to show beside the figures of every run: a `Figures` for each, by what they show."""
