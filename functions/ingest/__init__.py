"""What happens to the photos bucket, written into the index: the only writer of the index."""
