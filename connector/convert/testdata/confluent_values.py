"""Writes records of random schemas with the serializers of confluent-kafka, one a line: the value and the headers in
hexadecimal, the id and the GUID of the schema, the schema with all that it refers to, and the JSON that is promised. Each value is
written with the id in front of it and with the GUID in a header.

    PYTHONPATH=<the installed packages> python3 confluent_values.py <number of schemas of each format>
"""

import io
import json
import random
import sys

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry import header_schema_id_serializer, prefix_schema_id_serializer, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

import fastavro_values as avro
import protobuf_values as proto

rng = random.Random(4)
VALUES = 5
registry = SchemaRegistryClient.new_client({"url": "mock://"})


def refer(name, kind, text):
    """Registers a schema that others refer to by name."""
    subject = kind + "/" + name
    registry.register_schema(subject, Schema(text, kind))
    return SchemaReference(name, subject, registry.get_latest_version(subject).version)


def collect(schema, into):
    """All that a schema refers to, each after what it refers to itself."""
    for r in schema.references or []:
        of = registry.get_version(r.subject, r.version).schema
        collect(of, into)
        if not any(known["name"] == r.name for known in into):
            into.append({"name": r.name, "text": of.schema_str})
    return into


def write(kind, topic, serializer, value, want):
    """Prints a value in both forms. serializer makes one with settings."""
    for form in (prefix_schema_id_serializer, header_schema_id_serializer):
        headers = []
        serialize = serializer({"schema.id.serializer": form, "subject.name.strategy": topic_subject_name_strategy})
        data = serialize(value, SerializationContext(topic, MessageField.VALUE, headers))
        made = registry.get_latest_version(topic + "-value")
        print(json.dumps({
            "kind": kind, "id": made.schema_id, "guid": made.guid.replace("-", ""), "value": data.hex(), "headers": {k: v.hex() for k, v in headers},
            "text": made.schema.schema_str, "references": collect(made.schema, []), "want": want,
        }))


def of_avro(n):
    whole, _ = avro.Schemas().record(0)
    references = []
    if n % 10 == 0:
        whole = rng.choice([{"type": "long"}, {"type": "string"}, {"type": "bytes"}, {"type": "int", "logicalType": "date"}])
    text = parsed = whole
    if n % 4 == 1:
        name = "refers.to.base%d" % n
        base = {"type": "record", "name": name, "fields": [{"name": "x", "type": "long"}, {"name": "inside", "type": whole}]}
        references.append(refer(name, "AVRO", json.dumps(base)))

        def top(first, later):
            return {"type": "record", "name": "top", "fields": [{"name": "one", "type": first}, {"name": "more", "type": {"type": "array", "items": later}}]}

        text, parsed, whole = top(name, name), top(base, name), top(base, base)
    schema = Schema(json.dumps(text), "AVRO", references)
    parsed = fastavro.parse_schema(json.loads(json.dumps(parsed)))
    for _ in range(VALUES):
        v = avro.value(whole)
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, v)
        read = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), parsed, None)
        write("avro", "avro%d" % n, lambda conf: AvroSerializer(registry, schema, conf=conf), v, avro.promised(whole, read))


def json_schema(depth, referred):
    """A schema, and a function that makes values of it."""
    pick = rng.random()
    if referred and pick < 0.15:
        name, make = rng.choice(referred)
        return {"$ref": name}, make
    if depth > 3 or pick < 0.6:
        kind = rng.choice(["string", "integer", "number", "boolean", "null", "enum"])
        if kind == "enum":
            of = [1, "a", None, {"b": [True]}]
            return {"enum": of}, lambda: rng.choice(of)
        make = {
            "string": lambda: "x" + "".join(rng.choice('aZ "\\\n\t<&>é€𝄞\u2028') for _ in range(rng.randrange(9))),
            "integer": lambda: rng.choice([0, -1, rng.getrandbits(62), -rng.getrandbits(40)]),
            "number": lambda: rng.choice([0.0, 1.5, -2.25, 1e-7, 1e30, 0.1, 12345678.9, 7]),
            "boolean": lambda: rng.random() < 0.5,
            "null": lambda: None,
        }[kind]
        return rng.choice([{"type": kind}, {"type": [kind, "object"]}, dict({"type": kind}, **({"minLength": 1, "pattern": "^x"} if kind == "string" else {}))]), make
    if pick < 0.75:
        s, make = json_schema(depth + 1, referred)
        return {"type": "array", "items": s, "maxItems": 3}, lambda: [make() for _ in range(rng.randrange(4))]
    members = {rng.choice("abcdefghé") + str(i): json_schema(depth + 1, referred) for i in range(rng.randrange(1, 5))}
    required = [k for k in members if rng.random() < 0.5]
    s = {"type": "object", "properties": {k: m[0] for k, m in members.items()}, "required": required, "additionalProperties": rng.choice([False, True, {"type": "string"}])}
    return s, lambda: {k: m[1]() for k, m in members.items() if k in required or rng.random() < 0.6}


def of_json(n):
    referred, references = [], []
    if n % 3 == 0:
        s, make = json_schema(2, [])
        references.append(refer("shared%d.json" % n, "JSON", json.dumps(s)))
        referred.append(("shared%d.json" % n, make))
    members = {"m%d" % i: json_schema(1, referred) for i in range(1, 4)}
    if referred:
        members["r"] = ({"$ref": referred[0][0]}, referred[0][1])
    schema = {
        "$schema": rng.choice(["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]),
        "title": "T%d" % n, "type": "object", "properties": {k: m[0] for k, m in members.items()},
    }
    text = Schema(json.dumps(schema), "JSON", references)
    for _ in range(VALUES):
        v = {k: m[1]() for k, m in members.items() if rng.random() < 0.8}
        # The bytes of the text: the digits of numbers are the serializer's.
        written = JSONSerializer(text, registry, conf={"subject.name.strategy": topic_subject_name_strategy})(v, SerializationContext("json%d" % n, MessageField.VALUE))
        assert json.loads(written[5:]) == v
        write("json-schema", "json%d" % n, lambda conf: JSONSerializer(text, registry, conf=conf), v, written[5:].decode())


class Messages:
    """The messages of a random file, which refers to another one now and then."""

    def __init__(self, n):
        self.pool = descriptor_pool.DescriptorPool()
        for path in sorted({path for _, _, path in proto.KNOWN}):
            own = descriptor_pb2.FileDescriptorProto()
            descriptor_pool.Default().FindFileByName(path).CopyToProto(own)
            self.pool.Add(own)
        file = proto.File(n).f
        if n % 3 == 0:
            other = proto.File(100_000 + n).f
            self.pool.Add(other)
            file.dependency.append(other.name)
            m = file.message_type[0]
            number = max([f.number for f in m.field], default=0) + 1
            m.field.add(
                name="other_file", number=number, label=proto.F.LABEL_OPTIONAL, type=proto.F.TYPE_MESSAGE,
                type_name=".%s.%s" % (other.package, other.message_type[0].name),
            )
        self.pool.Add(file)
        self.file = file
        self.built = self.pool.FindFileByName(file.name)
        self.indexes = [path for path, _ in proto.indexes(file.message_type)]
        self.classes = [message_factory.GetMessageClass(d) for d in self.built.message_types_by_name.values()]

    def message(self):
        path = rng.choice(self.indexes)
        of = self.file.message_type[path[0]]
        descriptor = self.built.message_types_by_name[of.name]
        for i in path[1:]:
            of = of.nested_type[i]
            descriptor = descriptor.nested_types_by_name[of.name]
        return proto.fill(message_factory.GetMessageClass(descriptor)(), 0, self.classes)


def of_protobuf(n):
    messages = Messages(n)
    for _ in range(VALUES):
        m = messages.message()
        want = json_format.MessageToDict(m, descriptor_pool=messages.pool)
        write("protobuf", "protobuf%d" % n, lambda conf: ProtobufSerializer(type(m), registry, conf=conf), m, want)


if __name__ == "__main__":
    for n in range(int(sys.argv[1])):
        of_avro(n)
        of_json(n)
        of_protobuf(n)
