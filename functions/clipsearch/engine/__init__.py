"""A mirror of the index in an engine for more photos than one instance holds in memory.

Segments stay the truth: whoever deletes the mirror loses nothing, and the next run makes it again.
Without an engine installed, every module but rows.py can be imported: lance_table.py loads Lance
on first use.
"""
