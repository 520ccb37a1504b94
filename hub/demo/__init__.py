"""The demonstration: a synthetic borough that publishes, is linked, is analysed and can be looked at."""
