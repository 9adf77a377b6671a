"""The commands of `aejax` that belong to no package of their own, a module each: its options, and what it runs."""
