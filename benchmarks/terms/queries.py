"""The queries of the benchmark, and which scenes answer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
import numpy.typing as npt

from benchmarks.terms.world import World
from model_export.demo.captions import PLACE_ALONE
from model_export.demo.drawing import COLOURS, PLACES, THINGS
from model_export.demo.scenes import Group, Scene
from search.engine.picture import as_picture
from search.engine.query import Query, Term

Mask = npt.NDArray[np.bool_]
MOST = 200  # queries of a kind
LEAST_TRUE = 20  # true photos of a query


@dataclass(frozen=True)
class Case:
    """`true` (n,): the scenes that answer `query`. `unwanted` (n,): those that it excludes."""

    query: Query
    true: Mask
    unwanted: Mask | None = None


def kinds(world: World, space: str) -> dict[str, list[Case]]:
    """The cases of each kind: at most MOST, each with at least LEAST_TRUE true photos."""
    makers: dict[str, Callable[[World, str], Iterator[Case]]] = {
        "A and B": _both,
        "A not B": _not,
        "A not B, weight 4": lambda w, s: _not(w, s, weight=4),
        "A not coloured A": _not_coloured,
        "A not coloured A, weight 2": lambda w, s: _not_coloured(w, s, weight=2),
        'picture + "a blue car"': lambda w, s: _recoloured(w, s, named=True),
        'picture + "blue"': _recoloured,
        'picture + "blue", not "red"': lambda w, s: _recoloured(w, s, excluded=True),
    }
    chance = np.random.default_rng(5)
    found = {}
    for kind, make in makers.items():
        cases = [case for case in make(world, space) if case.true.sum() >= LEAST_TRUE]
        chosen = np.sort(chance.permutation(len(cases))[:MOST])
        found[kind] = [cases[i] for i in chosen]
    return found


def _query(*terms: Term) -> Query:
    return Query(terms=terms, limit=10)


def _mask(world: World, is_true: Callable[[Scene], bool]) -> Mask:
    return np.array([is_true(scene) for scene in world.scenes])


def _named(thing: str, colour: str = "") -> str:
    said = Group(thing, colour or COLOURS[0], 1).describe()
    return said if colour else said.replace(f" {COLOURS[0]} ", " ")


def _simple(world: World) -> dict[str, Mask]:
    """Texts about one thing without colour or about a place, and which scenes they describe."""
    things = {
        _named(thing): _mask(world, lambda s, t=thing: any(g.thing == t for g in s.groups))  # type: ignore[misc]
        for thing in THINGS
    }
    places = {
        PLACE_ALONE[place][0]: _mask(world, lambda s, p=place: s.place == p)  # type: ignore[misc]
        for place in PLACES
    }
    return things | places


def _both(world: World, space: str) -> Iterator[Case]:
    for (a, has_a), (b, has_b) in combinations(_simple(world).items(), 2):
        yield Case(_query(Term(text=a), Term(text=b)), has_a & has_b)


def _not(world: World, space: str, weight: float = 1) -> Iterator[Case]:
    for (a, has_a), (b, has_b) in permutations(_simple(world).items(), 2):
        query = _query(Term(text=a), Term(text=b, weight=-weight))
        yield Case(query, has_a & ~has_b, has_b)


def _coloured(world: World) -> dict[tuple[str, str], Mask]:
    """Which scenes have the thing in the colour."""
    return {
        (thing, colour): _mask(
            world,
            lambda s, t=thing, c=colour: any((g.thing, g.colour) == (t, c) for g in s.groups),  # type: ignore[misc]
        )
        for thing, colour in product(THINGS, COLOURS)
    }


def _not_coloured(world: World, space: str, weight: float = 1) -> Iterator[Case]:
    """ "a car", not "a red car"."""
    simple = _simple(world)
    for (thing, colour), has in _coloured(world).items():
        a = _named(thing)
        query = _query(Term(text=a), Term(text=_named(thing, colour), weight=-weight))
        yield Case(query, simple[a] & ~has, has)


def _recoloured(
    world: World, space: str, named: bool = False, excluded: bool = False
) -> Iterator[Case]:
    """A picture of red cars, and a text with another colour: the thing in it, anywhere."""
    coloured = _coloured(world)
    for scene, vector in zip(world.examples, world.example_vectors, strict=True):
        (group,) = scene.groups
        colours = [colour for colour in COLOURS if colour != group.colour]
        colour = colours[len(scene.describe()) % len(colours)]
        text = _named(group.thing, colour) if named else colour
        terms = [Term(picture=as_picture(space, vector)), Term(text=text)]
        if excluded:
            terms.append(Term(text=group.colour, weight=-1))
        yield Case(_query(*terms), coloured[group.thing, colour])
