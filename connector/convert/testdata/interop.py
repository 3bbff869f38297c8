"""Writes values with the Avro project's own Python package, one a line:
the schema, the payload in hexadecimal and the JSON that the documentation promises.

    PYTHONPATH=<the unpacked package avro> python3 interop.py <its avro/interop.avsc>
"""

import base64
import datetime
import decimal
import io
import json
import random
import sys

import avro.io
import avro.schema

rng = random.Random(1)


def text():
    return "".join(rng.choice('aZ "\\\n\täß€𝄞') for _ in range(rng.randrange(12)))


def data(n):
    return bytes(rng.randrange(256) for _ in range(n))


def value(s, depth=0):
    """A random value of a schema, and what is made of it."""
    logical = s.other_props.get("logicalType") if s.other_props else None
    if logical == "decimal":
        v = decimal.Decimal(rng.randrange(-(10**12), 10**12)).scaleb(-2)
        return v, v
    if logical == "date":
        v = datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randrange(-9999, 99999))
        return v, v.isoformat()
    if logical == "timestamp-micros":
        v = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=rng.randrange(10**15))
        return v, v.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    t = s.type
    if t == "null":
        return None, None
    if t == "boolean":
        v = rng.random() < 0.5
        return v, v
    if t in ("int", "long"):
        bits = rng.randrange(1, 32 if t == "int" else 64)
        v = rng.randrange(-(1 << (bits - 1)), 1 << (bits - 1))
        return v, v
    if t in ("float", "double"):
        v = float(rng.randrange(-(2**20), 2**20)) / 8
        return v, v
    if t == "string":
        v = text()
        return v, v
    if t == "bytes":
        v = data(rng.randrange(20))
        return v, base64.b64encode(v).decode()
    if t == "fixed":
        v = data(s.size)
        return v, base64.b64encode(v).decode()
    if t == "enum":
        v = rng.choice(s.symbols)
        return v, v
    if t == "array":
        pairs = [value(s.items, depth + 1) for _ in range(rng.randrange(4) if depth < 6 else 0)]
        return [a for a, _ in pairs], [b for _, b in pairs]
    if t == "map":
        pairs = {text(): value(s.values, depth + 1) for _ in range(rng.randrange(4) if depth < 6 else 0)}
        return {k: a for k, (a, _) in pairs.items()}, {k: b for k, (_, b) in pairs.items()}
    if t == "union":
        # The package takes False for a number where a union has both.
        options = [o for o in s.schemas if o.type != "boolean"]
        return value(options[0] if depth > 6 else rng.choice(options), depth + 1)
    if t in ("record", "error"):
        pairs = [(f.name, value(f.type, depth + 1)) for f in s.fields]
        return {n: a for n, (a, _) in pairs}, {n: b for n, (_, b) in pairs}
    raise ValueError(t)


SCHEMAS = [
    *('"%s"' % p for p in ("null", "boolean", "int", "long", "float", "double", "bytes", "string")),
    '{"type":"array","items":{"type":"map","values":["null","string","long"]}}',
    '{"type":"record","name":"List","fields":[{"name":"v","type":"long"},{"name":"next","type":["null","List"]}]}',
    '{"type":"record","name":"L","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":14,"scale":2}},'
    '{"name":"on","type":{"type":"int","logicalType":"date"}},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}]}',
]


class Exact(json.JSONEncoder):
    def default(self, o):
        return {"decimal": str(o)}


with open(sys.argv[1], encoding="utf-8") as f:
    SCHEMAS.insert(0, f.read())
for source in SCHEMAS:
    schema = avro.schema.parse(source)
    for _ in range(100):
        datum, want = value(schema)
        out = io.BytesIO()
        avro.io.DatumWriter(schema).write(datum, avro.io.BinaryEncoder(out))
        print(json.dumps({"schema": source, "payload": out.getvalue().hex(), "want": want}, cls=Exact))
