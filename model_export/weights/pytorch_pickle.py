"""`data.pkl` of a PyTorch file -> which part of which storage each name means.

A pickle is a program. Python's own unpickler imports and calls whatever the program names; this
one runs only the instructions that torch.save writes for a dictionary of tensors, and calls
nothing. It makes dictionaries with strings as keys, lists, tuples, numbers, strings, and the
classes of pytorch_values.
"""

from __future__ import annotations

import pickletools
import warnings
from typing import Any

from model_export.weights.pytorch_values import (
    View,
    call,
    kind_of,
    known_global,
    of_type,
    storage_of,
)
from model_export.weights.pytorch_zip import Damaged, Refused

LARGEST_PICKLE = 4 << 20  # bytes; a CLIP of 2.5 billion parameters has 0.3 MB


def unpickle(data: bytes) -> dict[str, View]:
    """The dictionary that `data` describes. Damaged, Refused."""
    if len(data) > LARGEST_PICKLE:
        raise Refused(f"its pickle has {len(data)} bytes; {LARGEST_PICKLE} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickletools tells of odd escapes in names
            found = _run(data)
    except (IndexError, KeyError, ValueError) as exc:  # empty stack, no such memo, cut short
        raise Damaged("its pickle is cut or changed") from exc
    if type(found) is not dict:
        raise Refused(f"it holds a {kind_of(found)} instead of a dictionary of tensors")
    for name, view in found.items():
        if not isinstance(view, View):
            raise Refused(f"its {name[:80]!a} is a {kind_of(view)} instead of a tensor")
    return found


def _run(data: bytes) -> Any:
    """Values are compared by type only: to hash, print or compare a tuple that holds itself a
    thousand times over would not end."""
    stack: list[Any] = []
    outer: list[list[Any]] = []  # the stacks below each mark
    memo: dict[int, Any] = {}
    for opcode, operand, _ in pickletools.genops(data):
        argument: Any = operand
        match opcode.name:
            case "PROTO":
                if argument != 2:
                    raise Refused(f"its pickle has protocol {argument} instead of 2")
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                stack.append(argument)
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                values = [stack.pop() for _ in range(int(opcode.name[-1]))]
                stack.append(tuple(reversed(values)))
            case "MARK":
                outer.append(stack)
                stack = []
            case "TUPLE":
                values, stack = stack, outer.pop()
                stack.append(tuple(values))
            case "APPENDS":
                values, stack = stack, outer.pop()
                of_type(stack[-1], list).extend(values)
            case "APPEND":
                value = stack.pop()
                of_type(stack[-1], list).append(value)
            case "SETITEMS":
                values, stack = stack, outer.pop()
                _set_items(stack[-1], values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set_items(stack[-1], [key, value])
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(known_global(argument))
            case "BINPERSID":
                stack.append(storage_of(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(call(function, arguments))
            case "BUILD":  # the attribute _metadata of a state_dict, which says nothing of arrays
                stack.pop()
                of_type(stack[-1], dict)
            case "STOP":
                return stack.pop()
            case name:
                raise Refused(f"its pickle has the instruction {name}, which is not read here")
    raise Damaged("its pickle has no end")


def _set_items(target: Any, values: list[Any]) -> None:
    target = of_type(target, dict)
    for key, value in zip(values[::2], values[1::2], strict=True):
        target[of_type(key, str)] = value
