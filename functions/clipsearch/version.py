"""The version of clipsearch, for both functions, the commands and the releases."""

__version__ = "0.2.0"
