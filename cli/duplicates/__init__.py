"""`clipsearch duplicates`: lists the near-duplicates of a library, and deletes nothing.

options   the options, checked
find      the stacks of a whole library
report    what is printed
"""
