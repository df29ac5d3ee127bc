"""Compare the whole system with the original design, in one run on the same cores: `make bench`.

"theirs" (original.py, original_ingest.py) re-creates the original app for measurement: FastAPI
and uvicorn, `transformers`' CLIP in PyTorch with texts padded to 77 tokens, and a FAISS
IndexFlatIP over all vectors. It loads everything at start. "ours" are the real functions in
functions-framework, as `make run` starts them. Both have the same full-size ViT-B/32 with random
weights, ours in 8 bits, and the same 118,287 vectors. They take turns. Vectors are made up, or with
--vectors real ones: then the weights are aimed at them (aimed.py).

    first answer   seconds from the start of the process to its first answer to a text
    text, picture  a new text; a JPEG of 640 x 480; "more like this" of an indexed photo. 1, 8 and
    and like       32 clients each send the next request after an answer, for 20 photos. Theirs
                   has no "more like this": its user sends the picture again, so its figures are
                   those of a picture.
    crowd          a text of one client while 32 others send pictures.
    memory         VmHWM, the peak of resident memory, of all processes of a side, after all that.
                   Memory that gunicorn's processes share counts twice.
    ingest         photos per second. Theirs: the loop that builds its index, without loading the
                   model. Ours: an event per photo, and a reconcile, with a warm function.

The benchmark also measures the load of other processes: PyTorch's threads wait for each other, so
one busy core makes them many times slower. Disturbed turns are repeated while there is time. The
quietest turn counts, and is marked if it was disturbed too.
"""
