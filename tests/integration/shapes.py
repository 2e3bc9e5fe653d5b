"""The shapes that docs/assentctl.md promises of `--json`, compared with what is printed.

A type, or a key of an object, that ends with "?" may have no value. An object with the key "..." may
have further ones.
"""

import json
import re

from harness import repository

PAGE = "docs/assentctl.md"
BLOCK = re.compile(r"^```shape ([a-z -]+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TYPES = {"string": str, "number": (int, float), "boolean": bool}


def promised():
    """The shape of each verb."""
    page = (repository.ROOT / PAGE).read_text(encoding="utf-8")
    shapes = {verb: json.loads(text) for verb, text in BLOCK.findall(page)}
    shapes = {verb: shapes[shape.removeprefix("as ")] if isinstance(shape, str) else shape
              for verb, shape in shapes.items()}
    for shape in shapes.values():
        for key, value in shape.items():
            if isinstance(value, str) and value.startswith("as "):
                shape[key] = shapes[value.removeprefix("as ")][key]
    return shapes


def differences(shape, told, where="$"):
    """How what was told differs from its shape, as sentences."""
    if isinstance(shape, dict):
        return _of_object(shape, told, where)
    if isinstance(shape, list):
        return _of_list(shape, told, where)
    if told is None:
        return [] if shape.endswith("?") else [f"{where} is null"]
    wanted = TYPES[shape.removesuffix("?")]
    if isinstance(told, bool) != (wanted is bool) or not isinstance(told, wanted):
        return [f"{where} is {told!r} and no {shape}"]
    return []


def _of_object(shape, told, where):
    if not isinstance(told, dict):
        return [f"{where} is {told!r} and no object"]
    if "..." in shape:
        shape = {key: value for key, value in shape.items() if key != "..."}
        told = {key: value for key, value in told.items() if key in shape}
    nullable = {key.removesuffix("?") for key in shape if key.endswith("?")}
    shape = {key.removesuffix("?"): value for key, value in shape.items()
             if not (key.endswith("?") and told.get(key.removesuffix("?"), 0) is None)}
    told = {key: value for key, value in told.items() if key in shape or key not in nullable}
    found = [f"{where} lacks {key}" for key in shape if key not in told]
    found += [f"{where} has {key}, which the page does not know" for key in told if key not in shape]
    for key in shape.keys() & told.keys():
        found += differences(shape[key], told[key], f"{where}.{key}")
    return found


def _of_list(shape, told, where):
    if not isinstance(told, list):
        return [f"{where} is {told!r} and no list"]
    return [each for number, one in enumerate(told)
            for each in differences(shape[0], one, f"{where}[{number}]")]
