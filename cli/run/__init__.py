"""`clipsearch run`: all of clipsearch on one machine.

options   the options, checked
model     the bundle to use; a checkpoint is exported first
static    the web server for page, photos and thumbnails
page      the files of the page that name the search
changes   differences between the photos folder and the index, as events
feeder    delivers events to ingest, with retries, as Eventarc does
schedule  maintenance, in place of Cloud Scheduler
report    what the terminal shows
stack     puts these together and runs until Ctrl-C
"""
