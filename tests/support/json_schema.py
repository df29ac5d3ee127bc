"""Compares values with schemas of an OpenAPI document."""

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "boolean": bool,
}
SAY_NOTHING_OF_NULL = ("required", "properties", "additionalProperties", "minimum", "maximum")
# words of JSON Schema that say nothing about which values are right
SILENT = {"description", "examples", "format", "contentMediaType"}


def resolved(document, node):
    """`node`, or what its $ref points to."""
    if "$ref" not in node:
        return node
    found = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(document, found)


def unknown(schema, value, where):
    names = value.keys() - schema["properties"].keys()
    return [f"{where}.{name} is not described" for name in names]


def faults(document, schema, value, where="$", is_whole=False):
    """What is wrong with `value`; of JSON Schema it knows the words that the document uses.

    `is_whole`: a field that is not described is a fault too. Answers may have some for a client,
    which may be older than the function."""
    schema = resolved(document, schema)
    if is_whole and "properties" in schema and value is not None:
        yield from unknown(schema, value, where)
    for word, wanted in schema.items():
        if value is None and word in SAY_NOTHING_OF_NULL:
            continue  # they speak of objects and numbers; "type" says whether null will do
        if word == "type":
            types = [wanted] if isinstance(wanted, str) else wanted
            if not any(isinstance(value, TYPES[t]) for t in types) or (
                isinstance(value, bool) and "boolean" not in types
            ):
                yield f"{where} is no {wanted}: {value!r}"
                return
        elif word == "enum":
            if value not in wanted:
                yield f"{where} is none of {wanted}: {value!r}"
        elif word in ("minimum", "maximum"):
            if (value < wanted) if word == "minimum" else (value > wanted):
                yield f"{where} is beyond the {word} {wanted}: {value!r}"
        elif word in ("minLength", "maxLength", "minItems", "maxItems"):
            if (len(value) > wanted) if word.startswith("max") else (len(value) < wanted):
                yield f"{where} breaks {word} {wanted}"
        elif word == "oneOf":
            found = [list(faults(document, choice, value, where, is_whole)) for choice in wanted]
            if sum(not wrong for wrong in found) != 1:
                yield f"{where} is not one of {len(wanted)} kinds: {found}"
        elif word == "required":
            yield from (f"{where} lacks {name}" for name in wanted if name not in value)
        elif word == "properties":
            for name in value.keys() & wanted.keys():
                yield from faults(document, wanted[name], value[name], f"{where}.{name}", is_whole)
        elif word == "additionalProperties":
            assert wanted is False
            yield from unknown(schema, value, where)
        elif word == "items":
            for number, item in enumerate(value):
                yield from faults(document, wanted, item, f"{where}[{number}]", is_whole)
        else:
            assert word in SILENT, f"this test does not know {word!r}"


def walk(node):
    yield node
    if isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from walk(child)
