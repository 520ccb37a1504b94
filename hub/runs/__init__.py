"""Runs: plugins, their schedules, sandboxed runs and the results that come out of them."""
