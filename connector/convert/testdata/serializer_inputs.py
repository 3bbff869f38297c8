"""Writes values of random schemas for serializers that are to write records of them, one a line: the format, a name for the schema, the schema,
the value without any framing, and the JSON that is promised. Avro is written by fastavro and Protobuf by Python's package, which have read
the values, too; JSON is text. A schema of Protobuf is a file set in base64, whose last file has the message.

    PYTHONPATH=<the installed packages> python3 serializer_inputs.py <number of schemas of each format> <all, or alone for Protobuf files that import no other>
"""

import base64
import io
import json
import random
import sys

import fastavro
from google.protobuf import descriptor_pb2, json_format

import confluent_values as confluent
import fastavro_values as avro

VALUES = 10
rng = random.Random(5)


def write(kind, n, schema, value, want, **more):
    print(json.dumps(dict(more, format=kind, name="%s%d" % (kind, n), schema=schema, value=value.hex(), want=want)))


def of_avro(n):
    whole, _ = avro.Schemas().record(0)
    parsed = fastavro.parse_schema(json.loads(json.dumps(whole)))
    for _ in range(VALUES):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, avro.value(whole))
        read = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), parsed, None)
        write("avro", n, json.dumps(whole), out.getvalue(), avro.promised(whole, read))


def of_json(n):
    members = {"m%d" % i: confluent.json_schema(1, []) for i in range(1, 4)}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "T%d" % n, "type": "object", "properties": {k: m[0] for k, m in members.items()},
    }
    for _ in range(VALUES):
        v = {k: m[1]() for k, m in members.items() if rng.random() < 0.8}
        write("json-schema", n, json.dumps(schema), json.dumps(v).encode(), v)


def of_protobuf(n, alone):
    messages = confluent.Messages(n * 3 + 1 if alone else n)
    files = descriptor_pb2.FileDescriptorSet()
    seen = set()

    def add(name):
        if name in seen:
            return
        seen.add(name)
        of = messages.pool.FindFileByName(name)
        for d in of.dependencies:
            add(d.name)
        of.CopyToProto(files.file.add())

    add(messages.file.name)
    text = base64.b64encode(files.SerializeToString()).decode()
    for _ in range(VALUES):
        m = messages.message()
        write("protobuf", n, text, m.SerializeToString(), json_format.MessageToDict(m, descriptor_pool=messages.pool), message=m.DESCRIPTOR.full_name)


for n in range(int(sys.argv[1])):
    of_avro(n)
    of_json(n)
    of_protobuf(n, sys.argv[2] == "alone")
