"""Code to put before that of another process: it imports numpy as slowly as from a slow disk."""

SLOW_NUMPY = """
import sys, time

class SlowDisk:
    @staticmethod
    def find_spec(name, *_):
        if name.startswith("numpy"):
            time.sleep(0.005)

sys.meta_path.insert(0, SlowDisk)
"""
