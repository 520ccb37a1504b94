"""The vault: keys, and the encrypted data that only they open."""
