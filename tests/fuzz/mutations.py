"""Valid files, changed at random."""

from __future__ import annotations

import io
import json
import random
import zipfile


def mutated(content: bytes, seed: int) -> bytes:
    """The content with bits flipped, parts cut off, left out, put in, zeroed or copied elsewhere."""
    rng = random.Random(seed)
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        place, other = rng.randrange(len(changed) + 1), rng.randrange(len(changed) + 1)
        n = rng.choice([1, 2, 8, 64, 500])
        kind = rng.choice(["flip", "flip", "cut", "leave out", "put in", "zero", "copy", "number"])
        if kind == "flip" and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del changed[place:]
        elif kind == "leave out":
            del changed[place : place + n]
        elif kind == "put in":
            changed[place:place] = rng.randbytes(n)
        elif kind == "zero":
            changed[place : place + n] = bytes(n)
        elif kind == "copy":
            changed[place : place + n] = changed[other : other + n]
        elif kind == "number":
            changed[place : place + 4] = rng.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0" * 4])
    return bytes(changed)


def mutated_archive(content: bytes, seed: int) -> bytes:
    """The same of a zip archive as such, of one of its members, or of a value in one that is JSON."""
    rng = random.Random(seed)
    kind = rng.choice(["as such", "member", "member", "value", "value", "value", "left out", "twice"])
    if kind == "as such":
        return mutated(content, seed)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    if kind == "member":
        members[name] = mutated(members[name], seed)
    elif kind == "value":
        name = next(one for one in members if one.endswith(".json"))
        members[name] = json.dumps(changed_value(json.loads(members[name]), rng)).encode()
    elif kind == "left out":
        del members[name]
    else:
        members[name] = members[rng.choice(sorted(members))]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for one, inside in members.items():
            archive.writestr(one, inside)
    return written.getvalue()


VALUES = [None, True, -1, 0, 2**70, 1e400, "", "x", "os", "system", "posix.system", "builtins", "eval", [], {}, [[]]]


def changed_value(about, rng):
    """JSON with one value in it replaced, left out, or replaced by another of its values."""
    places = list(places_in(about))
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    elif rng.random() < 0.5:
        other, place = rng.choice(places)
        holder[key] = other.get(place) if isinstance(other, dict) else other[place] if place < len(other) else None
        json.dumps(about) if holder[key] is not about else None
    else:
        holder[key] = rng.choice(VALUES)
    return about


def places_in(about):
    keys = about if isinstance(about, dict) else range(len(about)) if isinstance(about, list) else ()
    for key in keys:
        yield about, key
        yield from places_in(about[key])
