"""The audit log: what happened, who did it, why; append-only and sealed by a Merkle tree."""
