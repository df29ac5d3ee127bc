"""Compares the image tower with its 8-bit products alone: `make bench-gemm`.

    products   ONNX Runtime runs only the graph's products, of the same shapes and weights, in the
               same process and in turns with the tower: nothing with these products is faster
    stages     a JPEG's way to its vector: decode, preprocess, thumbnail, facts, tower

Each set of instructions below that of this processor has a process of its own (instructions.py).
Times are CPU time, the least of all rounds; one picture on all cores has wall time. Prints tables;
writes build/bench/gemm.json.
"""
