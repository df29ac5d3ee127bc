"""A tower of a checkpoint -> an ONNX graph, node by node.

`clip` writes the two towers, from the layers in `layers` and the matrices in `linear`; `graph`
writes the files. Everything takes named numpy arrays.
"""
