"""The scheduler: APScheduler keeps the times, the hub's worker does the work. One process of a hub leads."""
