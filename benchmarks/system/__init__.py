"""The whole system beside the original design, in one run on the same cores: `make bench`.

"theirs" (original.py, original_ingest.py) is a re-creation, for measurement, of the original app:
FastAPI and uvicorn, `transformers`' CLIP in PyTorch with texts padded to 77 tokens, a FAISS
IndexFlatIP over all vectors, and everything loaded when the process starts. "ours" are the real
functions behind functions-framework, as `make run` starts them. Both have the same ViT-B/32 at
full size with random weights, ours in 8 bits, and the same 118,287 made-up vectors; they take
turns.

    first answer   seconds from the start of the process to its first answer to a text
    text, picture  a text nobody has asked before; a JPEG of 640 x 480; more like an indexed
    and like       photo: at 1, 8 and 32 clients, each asking again once it is answered. The best
                   20 photos each. Theirs has no "more like this": its user sends the picture
                   again, so its figures are those of a picture.
    memory         VmHWM, the most that was resident, of all processes of a side together, after
                   all of that. What gunicorn's processes share counts twice.
    ingest         photos per second. Theirs: the loop that builds its index, without the loading
                   of the model. Ours: an event per photo, and a reconcile, to a warm function.

What others do on the machine meanwhile is measured, too: PyTorch's threads wait for each other, so
with one core busy it gets many times slower. What was disturbed is measured again while there is
time; the quietest turn counts, and one that was not quiet is marked.
"""
