"""Code to run first in another process: it makes imports of numpy as slow as a slow disk."""

SLOW_NUMPY = """
import sys, time

class SlowDisk:
    @staticmethod
    def find_spec(name, *_):
        if name.startswith("numpy"):
            time.sleep(0.005)

sys.meta_path.insert(0, SlowDisk)
"""
