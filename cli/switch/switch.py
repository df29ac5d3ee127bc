"""From one model to another: coverage, quality gate, the switch itself, and the way back."""

from __future__ import annotations

from cli.common.errors import RunError, UsageError
from cli.common.output import say
from cli.evaluate.captions import read_captions
from cli.evaluate.library import Library, open_library
from cli.reconcile import fill
from cli.reconcile.plan import Plan, make_plan
from cli.reconcile.work import carry_out
from cli.switch.agreement import agreement
from cli.switch.captions import compare_captions
from cli.switch.options import Options
from clipsearch.errors import NotReady
from clipsearch.model.bundle import load_bundle
from clipsearch.model.pointer import current_pointer, space_before, switch_to
from clipsearch.settings import model_digests
from clipsearch.storage import Bucket
from ingest.messages import MAX_PHOTOS

# So many photos may have come since the fill. They are indexed here, before the switch.
CAUGHT_UP = MAX_PHOTOS


def switch(options: Options) -> int:
    """0: switched, or nothing to do. Raises RunError where the switch is refused."""
    index, space = options.to.services.index, options.to.space
    load_bundle(index, space, options.to.services.settings.model_sha256).check_complete()
    pointer = current_pointer(index)
    if pointer.space == space:
        switch_to(index, space)  # ends the filling of another one
        say(f"model {space} is current")
        return 0
    refusals = [*_incomplete(options), *_worse(options, pointer.space)]
    if options.plan_only:
        for refusal in refusals:
            say(f"a switch would be refused: {refusal}")
        return 0
    if refusals and not options.is_sure:
        raise RunError(f"{'; '.join(refusals)}; or switch with --anyway")
    switch_to(index, space)
    say(f"model {space} is current; search uses it within seconds")
    say(
        "Uploads of the last minutes may be missing until a reconcile has compared all photos. It "
        "starts by itself. To start it now: clipsearch reconcile"
    )
    say("To go back: clipsearch switch --back")
    return 0


def go_back(index: Bucket) -> int:
    """Make the model before current again. UsageError if there was none."""
    space = space_before(index)
    if space is None:
        raise UsageError(f"there was no other model in {index.url}; nothing to go back to")
    load_bundle(index, space, model_digests()).check_complete()
    switch_to(index, space)
    say(f"model {space} is current again; search uses it within seconds")
    say(
        "A reconcile starts by itself and indexes what came since. To start it now: clipsearch "
        "reconcile"
    )
    return 0


def _incomplete(options: Options) -> list[str]:
    """Why the new index is not complete.

    Few missing photos are indexed first, and photos that are gone are removed: the index of a
    model that was neither current nor being filled has heard of no deletion."""
    plan = make_plan(options.to)
    missing = _missing(plan)
    say(f"{options.to.space}: {_covered(plan)}")
    if (missing or plan.orphans) and missing <= CAUGHT_UP and not options.plan_only:
        fill.begin(options.to)
        if not carry_out(options.to, plan)["pending"]:
            return []
    if not missing:
        return []
    return [
        f"{missing:,} of {plan.found.objects:,} photos are missing; fill the index with "
        f"clipsearch reconcile --space {options.to.space}"
    ]


def _missing(plan: Plan) -> int:
    return plan.found.missing + plan.found.outdated


def _covered(plan: Plan) -> str:
    objects = plan.found.objects
    covered = objects - _missing(plan)
    percent = int(1000 * covered / objects) / 10 if objects else 100.0  # never rounded up to 100
    return f"{covered:,} of {objects:,} photos are in the index, {percent:g} %"


def _worse(options: Options, present: str) -> list[str]:
    """Prints how both models compare; returns why the new one is clearly worse."""
    libraries: list[Library] = []
    for space in (present, options.to.space):
        try:
            libraries.append(open_library(options.to.services.index, space, is_exact=False))
        except NotReady as error:
            say(f"the models cannot be compared: {error}")
            return []
    old, new = libraries
    if options.captions is None:
        say(f"the best 20 of model {present} and of model {options.to.space}:")
        for line in agreement(old, new).lines():
            say(line)
        return []
    found = compare_captions(old, new, read_captions(options.captions, options.prefix))
    for line in found.lines(_name(old), _name(new)):
        say(line)
    if not found.is_clearly_worse:
        return []
    return [f"model {options.to.space} finds clearly less: R@5 is lower by {found.loss:.3f}"]


def _name(library: Library) -> str:
    return f"{library.model.encoder.name} ({library.snapshot.space})"
