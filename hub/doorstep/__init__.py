"""The doorstep: what every HTTP request passes, whichever door it goes to; health, metrics and the server itself."""
