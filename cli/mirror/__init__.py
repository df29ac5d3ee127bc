"""`clipsearch mirror`: brings a table of Lance up to date with the index.

options   the options, checked
work      one run, and what is printed
"""
