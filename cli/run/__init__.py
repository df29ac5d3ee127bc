"""The whole of clipsearch on one machine: `make run`.

options   what the command line asks for, checked
model     which bundle that means; a checkpoint is exported first
processes the two functions, started as the cloud starts them, and ended without orphans
static    the web server for page, photos and thumbnails
changes   what is different between the photos folder and the index, as events
feeder    delivers events to ingest, with retries, as Eventarc does
schedule  maintenance, as Cloud Scheduler asks for it
stack     puts these together and runs until Ctrl-C
"""
