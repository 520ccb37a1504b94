"""Comparison tables: what the hub's checks, sealing, encryption, linkage, look-ups and audit log cost.

Each benchmark measures what the hub does and, in the same run, the plainest way to do as much of it, turn by turn
(A B A B), so that the ratios hold on a busy machine as well. Nothing here asserts a time.

    python -m benchmarks                      all of them
    python -m benchmarks check encryption     some of them
    python -m benchmarks --rows 100000        smaller
"""
