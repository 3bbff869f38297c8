"""Writes messages of random schemas with the package protobuf, one a line: the schema in the forms in which
registries have it, the index of the message as Python's serializers count, the payload in hexadecimal, and the
JSON of json_format in its forms.

    PYTHONPATH=<the installed package> python3 protobuf_values.py <number of schemas>
"""

import base64
import json
import random
import sys

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, empty_pb2, field_mask_pb2
from google.protobuf import json_format, message_factory, struct_pb2, timestamp_pb2, wrappers_pb2

rng = random.Random(3)
F = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "double": F.TYPE_DOUBLE, "float": F.TYPE_FLOAT, "int32": F.TYPE_INT32, "int64": F.TYPE_INT64, "uint32": F.TYPE_UINT32,
    "uint64": F.TYPE_UINT64, "sint32": F.TYPE_SINT32, "sint64": F.TYPE_SINT64, "fixed32": F.TYPE_FIXED32, "fixed64": F.TYPE_FIXED64,
    "sfixed32": F.TYPE_SFIXED32, "sfixed64": F.TYPE_SFIXED64, "bool": F.TYPE_BOOL, "string": F.TYPE_STRING, "bytes": F.TYPE_BYTES,
}
NAMES = {v: k for k, v in SCALARS.items()}
KEYS = ["int32", "int64", "uint32", "sint64", "fixed64", "bool", "string"]
KNOWN = [
    (m, m.DESCRIPTOR.full_name, m.DESCRIPTOR.file.name)
    for m in (
        timestamp_pb2.Timestamp, duration_pb2.Duration, struct_pb2.Struct, struct_pb2.Value, struct_pb2.ListValue, empty_pb2.Empty,
        field_mask_pb2.FieldMask, any_pb2.Any, wrappers_pb2.Int64Value, wrappers_pb2.StringValue, wrappers_pb2.BytesValue, wrappers_pb2.DoubleValue,
    )
]


class File:
    """A random file."""

    def __init__(self, n):
        self.proto3 = rng.random() < 0.6
        self.f = descriptor_pb2.FileDescriptorProto(name="f%d.proto" % n, package="p%d.q" % n, syntax="proto3" if self.proto3 else "proto2")
        self.f.dependency.extend(sorted({path for _, _, path in KNOWN}))
        self.types = []
        self.enums = []
        for _ in range(rng.randrange(1, 4)):
            self.message(self.f.message_type.add(), ".p%d.q" % n, 0)

    def message(self, m, scope, depth):
        m.name = "M%d" % len(self.types)
        full = scope + "." + m.name
        self.types.append(full)
        names = iter(rng.sample(["a", "order_id", "_x", "b_1", "URL", "fooBar", "c__d", "e_F", "g", "h2_o", "z_", "key", "value"], 13))
        number = 0
        oneof = None
        if rng.random() < 0.4:
            e = m.enum_type.add(name="E%d" % len(self.enums))
            for i, v in enumerate([0, 1, 2, -1]):
                e.value.add(name="%s_V%d" % (e.name, i), number=v)
            if rng.random() < 0.5:
                e.value.add(name=e.name + "_ALIAS", number=1)
                e.options.allow_alias = True
            self.enums.append(full + "." + e.name)
        for _ in range(rng.randrange(8)):
            number += rng.choice([1, 1, 1, 2, 17])
            f = m.field.add(name=next(names), number=number, label=F.LABEL_OPTIONAL)
            kind = rng.random()
            if kind < 0.15:
                self.map(m, f, full)
                continue
            if depth < 2 and kind < 0.25:
                self.message(m.nested_type.add(), full, depth + 1)
                f.type, f.type_name = F.TYPE_MESSAGE, self.types[-1]
            else:
                self.type(f)
            if kind > 0.75:
                f.label = F.LABEL_REPEATED
                if f.type not in (F.TYPE_STRING, F.TYPE_BYTES, F.TYPE_MESSAGE, F.TYPE_ENUM) and rng.random() < 0.5:
                    f.options.packed = rng.random() < 0.5
            elif kind > 0.6:
                if oneof is None:
                    oneof = len(m.oneof_decl)
                    m.oneof_decl.add(name="one")
                f.oneof_index = oneof
            if rng.random() < 0.1:
                f.json_name = "j%d" % number
        # The fields of a oneof are declared together.
        fields = sorted(m.field, key=lambda f: f.HasField("oneof_index"))
        ordered = [F.FromString(f.SerializeToString()) for f in fields]
        del m.field[:]
        m.field.extend(ordered)
        if depth < 2 and rng.random() < 0.4:
            self.message(m.nested_type.add(), full, depth + 1)

    def type(self, f):
        pick = rng.random()
        if pick < 0.55:
            f.type = rng.choice(list(SCALARS.values()))
        elif pick < 0.65 and self.enums:
            f.type, f.type_name = F.TYPE_ENUM, rng.choice(self.enums)
        elif pick < 0.8:
            f.type, f.type_name = F.TYPE_MESSAGE, rng.choice(self.types)
        else:
            f.type, f.type_name = F.TYPE_MESSAGE, "." + rng.choice(KNOWN)[1]

    def map(self, m, f, full):
        name = "".join(part[:1].upper() + part[1:] for part in f.name.split("_")) + "Entry"
        if any(t.name == name for t in m.nested_type):
            f.type = F.TYPE_BOOL
            return
        entry = m.nested_type.add(name=name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=F.LABEL_OPTIONAL, type=SCALARS[rng.choice(KEYS)])
        self.type(entry.field.add(name="value", number=2, label=F.LABEL_OPTIONAL))
        f.label, f.type, f.type_name = F.LABEL_REPEATED, F.TYPE_MESSAGE, full + "." + name


def written(file, entries):
    """A file as text: the entries of maps are messages of their own where they are to be, and there are things that no compiler takes."""
    lines = ['syntax = "%s";' % file.syntax, "package %s;" % file.package]
    lines += ['import "%s";' % d for d in file.dependency]
    lines += ['import "buf/validate/validate.proto";', "option optimize_for = 2;", "option php_generic_services = true;"]

    def type_of(f):
        return NAMES.get(f.type) or f.type_name

    def field(f, m, label=True):
        maps = {t.name: t for t in m.nested_type if t.options.map_entry}
        entry = maps.get(f.type_name.split(".")[-1])
        options = ["(buf.validate.field).string.min_len = 1"]
        if f.HasField("json_name"):
            options.append('json_name = "%s"' % f.json_name)
        tail = " %s = %d [%s];" % (f.name, f.number, ", ".join(options))
        if entry is not None and not entries:
            return "map<%s, %s>" % (type_of(entry.field[0]), type_of(entry.field[1])) + tail
        prefix = ""
        if f.label == F.LABEL_REPEATED:
            prefix = "repeated "
        elif label and file.syntax == "proto2" and rng.random() < 0.5:
            prefix = "optional "
        return prefix + type_of(f) + tail

    def message(m):
        out = ["message %s {" % m.name, 'reserved 1000 to 1002; reserved 1001 to 1003, "gone";']
        if m.options.map_entry:
            out.append("option map_entry = true;")
        for e in m.enum_type:
            out.append("enum %s { reserved 9 to 7; %s }" % (e.name, " ".join("%s = %d;" % (v.name, v.number) for v in e.value)))
        # Nested types stand where a descriptor has them, among those of maps.
        types = iter(m.nested_type)
        pending = list(m.field)
        done = []
        for t in types:
            if t.options.map_entry and not entries:
                for f in [f for f in pending if f.type_name.split(".")[-1] == t.name and f.label == F.LABEL_REPEATED]:
                    done.append(f)
                    out.append(field(f, m))
            else:
                out += message(t)
        plain = [f for f in pending if not any(f is d for d in done)]
        out += [field(f, m) for f in plain if not f.HasField("oneof_index")]
        inside = [f for f in plain if f.HasField("oneof_index")]
        if inside:
            out += ["oneof one {"] + [field(f, m, label=False) for f in inside] + ["}"]
        return out + ["}"]

    for m in file.message_type:
        lines += message(m)
    return "\n".join(lines)


def fill(m, depth, types):
    name = m.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        m.seconds, m.nanos = rng.randrange(-62135596800, 253402300799), rng.choice([0, 7000000, 7000, 7])
    elif name == "google.protobuf.Duration":
        m.seconds, m.nanos = rng.randrange(315576000000), rng.choice([0, 7000000, 7000, 7])
    elif name == "google.protobuf.FieldMask":
        m.paths.extend(rng.sample(["a", "foo_bar", "b.c_d", "e1"], 2))
    elif name == "google.protobuf.Struct":
        m.update({"n": rng.choice([None, True, 1.5, "x", [1, {"a": []}], {"b": {}}])})
    elif name == "google.protobuf.ListValue":
        m.extend([None, 2.25, "y"])
    elif name == "google.protobuf.Value":
        m.string_value = "v"
    elif name == "google.protobuf.Any":
        if types and depth < 3:
            inside = rng.choice(types)()
            fill(inside, depth + 2, types)
            m.Pack(inside)
    else:
        for f in m.DESCRIPTOR.fields:
            if rng.random() < 0.7 and (depth < 4 or f.message_type is None):
                fill_field(m, f, depth, types)
    return m


def fill_field(m, f, depth, types):
    if f.message_type is not None and f.message_type.GetOptions().map_entry:
        for _ in range(rng.randrange(3)):
            key = scalar(f.message_type.fields_by_name["key"])
            value = f.message_type.fields_by_name["value"]
            if value.message_type is not None:
                fill(getattr(m, f.name)[key], depth + 1, types)
            else:
                getattr(m, f.name)[key] = scalar(value)
    elif f.is_repeated:
        for _ in range(rng.randrange(3)):
            if f.message_type is not None:
                fill(getattr(m, f.name).add(), depth + 1, types)
            else:
                getattr(m, f.name).append(scalar(f))
    elif f.message_type is not None:
        getattr(m, f.name).SetInParent()
        fill(getattr(m, f.name), depth + 1, types)
    else:
        setattr(m, f.name, scalar(f))


def scalar(f):
    t = f.type
    if t == F.TYPE_BOOL:
        return rng.random() < 0.5
    if t == F.TYPE_STRING:
        return rng.choice(["", "a", 'q"\\\n', "é€𝄞"])
    if t == F.TYPE_BYTES:
        return rng.randbytes(rng.randrange(5))
    if t == F.TYPE_ENUM:
        return rng.choice([v.number for v in f.enum_type.values])
    if t in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
        return rng.choice([0.0, 1.5, -2.25, 1e-7, 1e30, float("inf"), float("nan")]) if t == F.TYPE_DOUBLE else rng.choice([0.0, 0.1, -2.5, float("-inf")])
    unsigned = t in (F.TYPE_UINT32, F.TYPE_UINT64, F.TYPE_FIXED32, F.TYPE_FIXED64)
    bits = 32 if t in (F.TYPE_INT32, F.TYPE_UINT32, F.TYPE_SINT32, F.TYPE_FIXED32, F.TYPE_SFIXED32) else 64
    v = rng.choice([0, 1, rng.getrandbits(bits - 1), (1 << (bits - 1)) - 1])
    return v if unsigned else rng.choice([v, -v])


def indexes(messages, path=()):
    for i, m in enumerate(messages):
        if not m.options.map_entry:
            yield path + (i,), m
            yield from indexes(m.nested_type, path + (i,))


if __name__ == "__main__":
    for n in range(int(sys.argv[1])):
        file = File(n).f
        pool = descriptor_pool.DescriptorPool()
        for _, _, path in KNOWN:
            own = descriptor_pb2.FileDescriptorProto()
            descriptor_pool.Default().FindFileByName(path).CopyToProto(own)
            pool.Add(own)
        pool.Add(file)
        built = pool.FindFileByName(file.name)
        texts = [base64.b64encode(file.SerializeToString()).decode(), written(file, False), written(file, True)]
        all_indexes = list(indexes(file.message_type))
        classes = [message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name)) for full_name in (
            ".".join([file.package] + list(names)) for names in (
                [file.message_type[path[0]].name] for path, _ in all_indexes if len(path) == 1))]
        for _ in range(10):
            path, _m = rng.choice(all_indexes)
            descriptor = built.message_types_by_name[file.message_type[path[0]].name]
            proto = file.message_type[path[0]]
            for i in path[1:]:
                proto = proto.nested_type[i]
                descriptor = descriptor.nested_types_by_name[proto.name]
            m = fill(message_factory.GetMessageClass(descriptor)(), 0, classes)
            forms = {}
            for form, options in (("canonical", {}), ("proto-names", {"preserving_proto_field_name": True}), ("emit-defaults", {"always_print_fields_with_no_presence": True})):
                forms[form] = json_format.MessageToDict(m, descriptor_pool=pool, **options)
            print(json.dumps({"schemas": texts, "index": path, "payload": m.SerializeToString().hex(), "want": forms}))
