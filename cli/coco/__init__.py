"""Photos of COCO into a bucket: `make coco`. The engine is that of cli/upload.

options      what the command line asks for, checked
annotations  the list of photos, from COCO's annotation files
archive      the annotation archive, downloaded once
client       HTTP: polite, bounded, whole answers only
source       COCO as the engine sees it
"""
