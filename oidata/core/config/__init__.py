"""The pipeline config of a detector: reading, comparing and filling it in, and what follows from it."""
