"""Writes values of random schemas with fastavro, one a line: the schema as registries may have it, the payload
in hexadecimal, and the JSON that the documentation promises, made of what fastavro reads of the payload.

    PYTHONPATH=<the installed package> python3 fastavro_values.py <number of schemas>
"""

import base64
import datetime
import decimal
import io
import json
import random
import sys
import uuid

import fastavro

rng = random.Random(2)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Schemas:
    """A schema in two forms: as fastavro takes it, and as it may come from a registry."""

    def __init__(self):
        self.names = 0

    def name(self):
        self.names += 1
        return "n%d" % self.names

    def simple(self):
        t = rng.choice(["null", "boolean", "int", "long", "float", "double", "string", "bytes"])
        return t, rng.choice([t, {"type": t}, {"type": t, "logicalType": "of-the-future", "precision": "x", "size": 3, "items": "none"}])

    def logical(self):
        t, logical = rng.choice([
            ("int", "date"), ("int", "time-millis"), ("long", "time-micros"), ("long", "timestamp-millis"), ("long", "timestamp-micros"),
            ("long", "local-timestamp-millis"), ("long", "local-timestamp-micros"), ("string", "uuid"), ("bytes", "decimal"),
        ])
        s = {"type": t, "logicalType": logical}
        if logical == "decimal":
            s.update(precision=rng.randrange(10, 20), scale=rng.choice([0, 2, 3, 5]))
        return s, dict(s, **{"connect.version": 1})

    def invalid(self):
        """A logical type with attributes that make it none."""
        bad = rng.choice([
            {"precision": 4, "scale": 8}, {"scale": 2}, {"precision": 0}, {"precision": 4, "scale": -2}, {"precision": "10", "scale": "2"},
            {"precision": 64, "scale": 127, "connect.parameters": {"scale": "127"}},
        ])
        if rng.random() < 0.5:
            return "bytes", dict(bad, type="bytes", logicalType="decimal")
        s = {"type": "fixed", "name": self.name(), "size": rng.randrange(1, 4)}
        return s, dict(s, logicalType="decimal", precision=rng.choice([20, "x", None]))

    def of(self, depth):
        pick = rng.random()
        if depth > 3 or pick < 0.35:
            return rng.choice([self.simple, self.simple, self.logical, self.invalid])()
        if pick < 0.45:
            s = {"type": "enum", "name": self.name(), "symbols": ["A", "B", "C"]}
            return s, dict(s, default=rng.choice(["Z", "A"]), aliases=["b.c"])
        if pick < 0.5:
            s = {"type": "fixed", "name": self.name(), "size": rng.randrange(9)}
            return s, dict(s, doc="a fixed")
        if pick < 0.6:
            a, b = self.of(depth + 1)
            return {"type": "array", "items": a}, {"type": "array", "items": b, "default": 7}
        if pick < 0.7:
            a, b = self.of(depth + 1)
            return {"type": "map", "values": a}, {"type": "map", "values": b, "symbols": ["x"]}
        if pick < 0.8:
            a, b = self.record(depth + 1) if rng.random() < 0.5 else rng.choice([("string", "string"), ("long", "long"), ("bytes", "bytes")])
            return ["null", a], ["null", b]
        return self.record(depth + 1)

    def record(self, depth):
        clean = {"type": "record", "name": self.name(), "fields": []}
        dirty = dict(clean, fields=[], doc="a record")
        for i in range(rng.randrange(0 if depth > 1 else 1, 6)):
            a, b = self.of(depth + 1)
            clean["fields"].append({"name": "f%d" % i, "type": a})
            field = {"name": "f%d" % i, "type": b}
            if rng.random() < 0.6:
                field["default"] = rng.choice([None, "0", 3000000000, [], {}, {"x": 1}, "2020-01-01", False])
            dirty["fields"].append(field)
        return clean, dirty


def text():
    return "".join(rng.choice('aZ "\\\n\täß€𝄞') for _ in range(rng.randrange(12)))


def value(s, depth=0):
    """A random value, as fastavro takes it."""
    if isinstance(s, list):
        return None if rng.random() < 0.4 else value(s[1], depth + 1)
    t = s["type"] if isinstance(s, dict) else s
    logical = s.get("logicalType") if isinstance(s, dict) else None
    micros = datetime.timedelta(microseconds=rng.randrange(10**15))
    if logical == "decimal":
        return decimal.Decimal(rng.randrange(-(10**9), 10**9)).scaleb(-s["scale"])
    if logical == "date":
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randrange(-9999, 99999))
    if logical in ("time-millis", "time-micros"):
        return (EPOCH + micros).time()
    if logical in ("timestamp-millis", "timestamp-micros"):
        return EPOCH + micros
    if logical in ("local-timestamp-millis", "local-timestamp-micros"):
        return (EPOCH + micros).replace(tzinfo=None)
    if logical == "uuid":
        return uuid.UUID(int=rng.getrandbits(128))
    if t == "null":
        return None
    if t == "boolean":
        return rng.random() < 0.5
    if t in ("int", "long"):
        bits = rng.randrange(1, 32 if t == "int" else 64)
        return rng.randrange(-(1 << (bits - 1)), 1 << (bits - 1))
    if t in ("float", "double"):
        return float(rng.randrange(-(2**20), 2**20)) / 8
    if t == "string":
        return text()
    if t == "bytes":
        return rng.randbytes(rng.randrange(20))
    if t == "fixed":
        return rng.randbytes(s["size"])
    if t == "enum":
        return rng.choice(s["symbols"])
    if t == "array":
        return [value(s["items"], depth + 1) for _ in range(rng.randrange(4))]
    if t == "map":
        return {text(): value(s["values"], depth + 1) for _ in range(rng.randrange(4))}
    return {f["name"]: value(f["type"], depth + 1) for f in s["fields"]}


def digits(t, n):
    return t.strftime("%H:%M:%S.%f")[: 9 + n]


def promised(s, v):
    """What the documentation says that becomes of a value that fastavro has read."""
    if isinstance(s, list):
        return None if v is None else promised(s[1], v)
    t = s["type"] if isinstance(s, dict) else s
    logical = s.get("logicalType") if isinstance(s, dict) else None
    n = 3 if logical and logical.endswith("millis") else 6
    if logical == "decimal":
        return {"decimal": "{:f}".format(v)}
    if logical == "date":
        return v.isoformat()
    if logical in ("time-millis", "time-micros"):
        return digits(v, n)
    if logical in ("timestamp-millis", "timestamp-micros"):
        return v.strftime("%Y-%m-%dT") + digits(v, n) + "Z"
    if logical in ("local-timestamp-millis", "local-timestamp-micros"):
        return v.strftime("%Y-%m-%d ") + digits(v, n)
    if logical == "uuid":
        return str(v)
    if t in ("bytes", "fixed"):
        return base64.b64encode(v).decode()
    if t == "array":
        return [promised(s["items"], x) for x in v]
    if t == "map":
        return {k: promised(s["values"], x) for k, x in v.items()}
    if t == "record":
        return {f["name"]: promised(f["type"], v[f["name"]]) for f in s["fields"]}
    return v


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        clean, dirty = Schemas().record(0)
        parsed = fastavro.parse_schema(json.loads(json.dumps(clean)))
        for _ in range(10):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed, value(clean))
            payload = out.getvalue()
            read = fastavro.schemaless_reader(io.BytesIO(payload), parsed, None)
            print(json.dumps({"schema": json.dumps(dirty), "payload": payload.hex(), "want": promised(clean, read)}))
