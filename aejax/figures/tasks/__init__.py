"""What single tasks have to show beside the pictures of every run: one `draw` a file."""
