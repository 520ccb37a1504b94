"""The command line `hub`. Commands are loaded when they are called, so that `hub --help` is quick."""
