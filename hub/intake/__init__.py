"""Intake: receives deliveries piece by piece, verifies and validates them, and keeps what was refused."""
