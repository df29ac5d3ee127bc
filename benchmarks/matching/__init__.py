"""`make bench-matching`: how well matches are told from others, on held-out demo scenes."""
