"""`clipsearch coco`: photos of COCO into a bucket, by the engine of cli/upload.

options      the options, checked
annotations  the list of photos, from COCO's annotation files
archive      the annotation archive, downloaded once
client       HTTP: with limits, and with the pauses that the server asks for
source       COCO as the engine sees it
"""
