"""The lessons of `docs/lessons`: read, run, judged and gone back to."""
