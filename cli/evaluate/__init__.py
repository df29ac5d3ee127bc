"""`clipsearch evaluate`: how well captions find their photos, through the search itself.

options   the options, checked
captions  a captioned set in COCO's format
demo      the demo world as such a set
library   the index as search uses it, and the float32 vectors for exact search
packing   a copy of the index, quantised as if it were large
asking    the results of search for each caption
recall    ranks, recall, and the overlap with exact search
measure   all figures
over_http a sample again, over HTTP
report, plot, page   the figures for a terminal, and as one HTML file
"""
