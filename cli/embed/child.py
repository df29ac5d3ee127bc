"""The process that decodes and embeds. A photo that ends it does not end Beam's process.

Over its standard input come the Job, then batches of photos; each is answered (talk.py). It ends
when its input does, so with the process that started it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import cast

from cli.embed.environment import check_pins
from cli.embed.gathering import Gathering
from cli.embed.job import Job
from cli.embed.talk import Answer, Done, Fault, Ready, Surprise, receive, send
from clipsearch.errors import ClipsearchError
from clipsearch.storage import Bucket
from clipsearch.telemetry import Timing
from ingest.indexing import Result, index_photos
from ingest.messages import Wanted
from ingest.services import Services


class Indexer:
    """Indexes batches of photos as `ingest` does."""

    def __init__(self, job: Job) -> None:
        check_pins()
        self._direct, self._services = Services(job.settings()), Services(job.settings())
        self._gathering = Gathering(self._services.index, job.space)
        self._services.index = cast(Bucket, self._gathering)
        self._encoder = self._direct.model.encoder()

    def index(self, photos: Sequence[Wanted]) -> Answer:
        self._gathering.take()
        try:
            results: dict[Wanted, Result] = {}
            for services, some in self._by_urgency(photos):
                made = index_photos(some, services, self._encoder, Timing()) if some else []
                results |= dict(zip(some, made, strict=True))
        except ClipsearchError as error:
            return Fault(str(error))
        except Exception as error:
            return Surprise(type(error).__name__, str(error))
        return Done([results[photo] for photo in photos], self._gathering.take())

    def _by_urgency(self, photos: Sequence[Wanted]) -> list[tuple[Services, list[Wanted]]]:
        """An entry that overrules others beats the tombstone of a photo that is deleted meanwhile.
        So `ingest` looks for the photo again after it has written the entry."""
        overruling = [photo for photo in photos if photo.at != photo.generation]
        usual = [photo for photo in photos if photo.at == photo.generation]
        return [(self._services, usual), (self._direct, overruling)]


def main() -> None:
    # A library that prints would break the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    try:
        try:
            indexer = Indexer(receive(questions))
        except Exception as error:
            send(answers, Fault(str(error)))
            return
        send(answers, Ready())
        while True:
            send(answers, indexer.index(receive(questions)))
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
