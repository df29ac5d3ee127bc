"""`clipsearch costs`: what a deployment costs, and what limits it.

options       the command
rows          where search has the vectors, and what it then needs
tables        idle month, searches, indexing, and the ceiling of a day: the arithmetic
assumptions   sizes, seconds and counts that the arithmetic takes
prices        list prices (prices.json), which terraform/costs.tf reads too
text          the tables as text
"""
