"""The search function: HTTP in, HTTP out; it only reads the index."""
