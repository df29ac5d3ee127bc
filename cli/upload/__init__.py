"""`clipsearch upload`: photos into a bucket. `clipsearch coco` has the same engine.

options   the options, checked
source    where photos come from, as the engine sees it
folder    the photos of a folder
photo     checks that bytes are a photo, and detects the content type
engine    uploads missing photos in parallel, retries, and gives up if all fail
workers   threads that do the work
report    the bar, the failures, the last line
"""
