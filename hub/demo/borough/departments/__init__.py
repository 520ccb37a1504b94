"""The six departments: each module writes one organisation's sheets about a block of people."""
