"""Each side in a module of its own, which runs in the side's environment.

A module has `open_side(what, world, effort)`, which loads what is needed and returns the function
to measure: it takes the number of a text, picture or query. A search returns the numbers of the
best photos. If it searches, it also has `EFFORTS`, from fast to thorough. A peer that has an index
has `build(world)`. These modules import packages inside functions only: loading is measured.
"""
