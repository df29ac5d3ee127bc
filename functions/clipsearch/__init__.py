"""What `search` and `ingest` share. Knows no HTTP and no CloudEvents; imports nothing heavy."""
