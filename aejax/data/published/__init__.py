"""Data sets from their published files, through tensorflow-datasets and without TensorFlow."""
