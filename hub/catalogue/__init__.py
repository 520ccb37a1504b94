"""The catalogue: contracts, datasets, their versions, and what came from what."""
