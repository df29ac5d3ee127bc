"""The tokenizer of a checkpoint, as transformers has it: a module for each kind.

A checkpoint brings the vocabulary. The steps before and after it are the same for each model of a
family, so they are built here.
"""
