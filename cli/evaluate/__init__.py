"""How well captions find their photos, through the search itself: `make evaluate`.

options   what is asked, from the command line and the environment
captions  a captioned set in COCO's format
demo      the demo world as such a set
library   the index as search has it, and the float32 vectors for exact search
packing   a copy of it, quantised as if it were large
asking    what search finds for each caption
recall    ranks, recall, and what search has of the best by exact search
measure   all figures
over_http a sample again, over HTTP to the function
report, plot, page   the figures for a terminal, and as one HTML file
"""
