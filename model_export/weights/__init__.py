"""A checkpoint's named arrays, one read from the disk at a time, without torch."""
