"""Identities: organisations, people, machine clients, and how each proves who it is."""
