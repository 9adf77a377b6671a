"""What single tasks have to show beside the figures of every run: `FIGURES` in a file for each."""
