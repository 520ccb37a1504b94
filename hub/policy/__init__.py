"""Policy: who may do what. Pure functions, default deny, every answer with its reason in words."""
