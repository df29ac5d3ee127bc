"""Measures search in the mirror: recall, seconds and reads, by kind of index and how it is asked.

__main__  the options, and the table
library   a table of Lance with enlarged vectors, and what a perfect search finds
measure   one kind of index
union     what a search function does with a table and newer photos
"""
