"""The footing: one database, one place for encrypted files."""
