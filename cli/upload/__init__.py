"""Photos into a bucket: `make upload` from a folder; `make coco` has the same engine.

options   what the command line asks for, checked
source    what the engine asks of where photos come from
folder    photos of a folder
photo     whether bytes are a whole photo, and of which content type
engine    what is not there yet goes up, several at once; what fails, and when to give up
workers   threads that end when they are told to
report    the bar, the lists, the last line
command   errors as one line, and exit codes
"""
