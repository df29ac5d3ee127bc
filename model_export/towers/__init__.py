"""A tower of a checkpoint -> an ONNX graph, node by node.

`families` says which file writes the towers of a family: `clip`, `siglip` or `bert`, from the
layers in `layers` and the matrices in `linear`. `graph` writes the files. Everything takes named
numpy arrays.
"""
