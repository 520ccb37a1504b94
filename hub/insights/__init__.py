"""Insights: the whole picture of a household, and what plugins found, put together for people to read."""
