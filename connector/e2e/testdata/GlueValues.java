import com.amazonaws.services.schemaregistry.serializers.GlueSchemaRegistryKafkaSerializer;
import com.amazonaws.services.schemaregistry.serializers.json.JsonDataWithSchema;
import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.EnumDescriptorProto;
import com.google.protobuf.DescriptorProtos.EnumValueDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Label;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Type;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.json.JSONArray;
import org.json.JSONObject;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;

/**
 * Writes values with AWS's own serializer, in each format and with each compression, and registers their schemas at
 * the address that it is given. Each line of its output has a value in hexadecimal digits, and what it is as JSON.
 */
public class GlueValues {
  static final Random random = new Random(1);

  public static void main(String[] args) throws Exception {
    int values = Integer.parseInt(args[1]);
    for (String compression : List.of("NONE", "ZLIB")) {
      avro(args[0], compression, values);
      json(args[0], compression, values);
      protobuf(args[0], compression, values);
    }
    System.out.flush();
    System.exit(0); // the clients' threads would keep it for a minute
  }

  static GlueSchemaRegistryKafkaSerializer serializer(String endpoint, String format, String compression, String schema) {
    Map<String, Object> config = new HashMap<>();
    config.put("endpoint", endpoint);
    config.put("region", "us-east-1");
    config.put("dataFormat", format);
    config.put("compression", compression);
    config.put("schemaName", schema);
    config.put("schemaAutoRegistrationEnabled", true);
    config.put("compatibility", "NONE");
    config.put("avroRecordType", "GENERIC_RECORD");
    GlueSchemaRegistryKafkaSerializer s = new GlueSchemaRegistryKafkaSerializer(DefaultCredentialsProvider.create(), config);
    s.configure(config, false);
    return s;
  }

  static void print(String format, byte[] value, String want) {
    System.out.println(new JSONObject(Map.of("format", format, "value", HexFormat.of().formatHex(value), "want", want)));
  }

  static String text() {
    int n = random.nextInt(40);
    StringBuilder b = new StringBuilder();
    for (int i = 0; i < n; i++) {
      b.appendCodePoint(random.nextInt(5) == 0 ? "ä\"\\\n日🙂".codePointAt(new int[] {0, 1, 2, 3, 4, 5}[random.nextInt(6)]) : 'a' + random.nextInt(26));
    }
    return b.toString();
  }

  static double fraction() {
    return Math.round(random.nextGaussian() * 1e6) / 1024.0; // no digits are lost
  }

  static void avro(String endpoint, String compression, int values) {
    Schema schema = new Schema.Parser().parse(
        """
        {"type":"record","name":"Order","namespace":"shop","fields":[
          {"name":"id","type":"string"},{"name":"count","type":"int"},{"name":"cents","type":"long"},{"name":"share","type":"double"},
          {"name":"paid","type":"boolean"},{"name":"note","type":["null","string"],"default":null},
          {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID","SENT"]}},
          {"name":"tags","type":{"type":"array","items":"string"}},{"name":"counts","type":{"type":"map","values":"long"}},
          {"name":"blob","type":"bytes"},
          {"name":"parts","type":{"type":"array","items":{"type":"record","name":"Part","fields":[{"name":"sku","type":"string"},{"name":"next","type":["null","Part"],"default":null}]}}}
        ]}""");
    GlueSchemaRegistryKafkaSerializer s = serializer(endpoint, "AVRO", compression, "avro");
    for (int i = 0; i < values; i++) {
      GenericRecord r = new GenericData.Record(schema);
      JSONObject want = new JSONObject();
      String id = text(), note = random.nextBoolean() ? null : text(), state = List.of("NEW", "PAID", "SENT").get(random.nextInt(3));
      int count = random.nextInt();
      long cents = random.nextLong();
      double share = fraction();
      byte[] blob = new byte[random.nextInt(50)];
      random.nextBytes(blob);
      boolean paid = random.nextBoolean();
      List<String> tags = new ArrayList<>();
      Map<String, Long> counts = new HashMap<>();
      for (int n = random.nextInt(4); n > 0; n--) {
        tags.add(text());
        counts.put(text(), random.nextLong());
      }
      r.put("id", id);
      r.put("count", count);
      r.put("cents", cents);
      r.put("share", share);
      r.put("paid", paid);
      r.put("note", note);
      r.put("state", new GenericData.EnumSymbol(schema.getField("state").schema(), state));
      r.put("tags", tags);
      r.put("counts", counts);
      r.put("blob", ByteBuffer.wrap(blob));
      Schema part = schema.getField("parts").schema().getElementType();
      GenericRecord inner = new GenericData.Record(part), outer = new GenericData.Record(part);
      String one = text(), two = text();
      inner.put("sku", one);
      outer.put("sku", two);
      outer.put("next", inner);
      r.put("parts", List.of(outer, inner));
      JSONObject last = new JSONObject().put("sku", one).put("next", JSONObject.NULL);
      want.put("id", id).put("count", count).put("cents", cents).put("share", share).put("paid", paid);
      want.put("note", note == null ? JSONObject.NULL : note).put("state", state).put("tags", new JSONArray(tags)).put("counts", new JSONObject(counts));
      want.put("blob", Base64.getEncoder().encodeToString(blob));
      want.put("parts", new JSONArray().put(new JSONObject().put("sku", two).put("next", last)).put(last));
      print("avro", s.serialize("avro", r), want.toString());
    }
  }

  static void json(String endpoint, String compression, int values) {
    String schema = "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"},\"s\":{\"type\":\"string\"}},\"required\":[\"n\"]}";
    GlueSchemaRegistryKafkaSerializer s = serializer(endpoint, "JSON", compression, "json");
    for (int i = 0; i < values; i++) {
      JSONObject want = new JSONObject().put("n", random.nextInt()).put("s", text()).put("list", new JSONArray(List.of(text(), random.nextLong(), fraction())));
      print("json-schema", s.serialize("json", JsonDataWithSchema.builder(schema, want.toString(2)).build()), want.toString());
    }
  }

  static FieldDescriptorProto.Builder field(String name, int number, Type type) {
    return FieldDescriptorProto.newBuilder().setName(name).setNumber(number).setType(type).setLabel(Label.LABEL_OPTIONAL);
  }

  /** The messages' names are not in the order of the file, so that a wrong count of them finds another one. */
  static FileDescriptor file() throws Exception {
    DescriptorProto deep = DescriptorProto.newBuilder().setName("Deep").addField(field("deep", 1, Type.TYPE_STRING)).build();
    DescriptorProto zone = DescriptorProto.newBuilder().setName("Zone").addNestedType(deep).addField(field("zone", 1, Type.TYPE_STRING)).build();
    DescriptorProto area = DescriptorProto.newBuilder().setName("Area").addField(field("area", 1, Type.TYPE_STRING)).build();
    EnumDescriptorProto state = EnumDescriptorProto.newBuilder().setName("State")
        .addValue(EnumValueDescriptorProto.newBuilder().setName("NEW").setNumber(0))
        .addValue(EnumValueDescriptorProto.newBuilder().setName("PAID").setNumber(1)).build();
    DescriptorProto order = DescriptorProto.newBuilder().setName("Order").addNestedType(zone).addNestedType(area).addEnumType(state)
        .addField(field("order_id", 1, Type.TYPE_STRING))
        .addField(field("cents", 2, Type.TYPE_INT64))
        .addField(field("share", 3, Type.TYPE_DOUBLE))
        .addField(field("blob", 4, Type.TYPE_BYTES))
        .addField(field("state", 5, Type.TYPE_ENUM).setTypeName(".shop.Order.State"))
        .addField(field("zones", 6, Type.TYPE_MESSAGE).setTypeName(".shop.Order.Zone").setLabel(Label.LABEL_REPEATED))
        .addField(field("counts", 7, Type.TYPE_SINT32).setLabel(Label.LABEL_REPEATED)).build();
    DescriptorProto customer = DescriptorProto.newBuilder().setName("Customer").addField(field("name", 1, Type.TYPE_STRING)).build();
    return FileDescriptor.buildFrom(
        FileDescriptorProto.newBuilder().setName("shop.proto").setPackage("shop").setSyntax("proto3").addMessageType(order).addMessageType(customer).build(),
        new FileDescriptor[0]);
  }

  static void protobuf(String endpoint, String compression, int values) throws Exception {
    FileDescriptor file = file();
    Descriptor order = file.findMessageTypeByName("Order"), zone = order.findNestedTypeByName("Zone");
    List<Descriptor> types = List.of(order, file.findMessageTypeByName("Customer"), zone, order.findNestedTypeByName("Area"), zone.findNestedTypeByName("Deep"));
    GlueSchemaRegistryKafkaSerializer s = serializer(endpoint, "PROTOBUF", compression, "protobuf");
    for (int i = 0; i < values; i++) {
      Descriptor type = types.get(random.nextInt(types.size()));
      DynamicMessage.Builder b = DynamicMessage.newBuilder(type);
      for (FieldDescriptor f : type.getFields()) {
        switch (f.getType()) {
          case STRING -> b.setField(f, text());
          case INT64 -> b.setField(f, random.nextLong());
          case DOUBLE -> b.setField(f, fraction());
          case BYTES -> b.setField(f, ByteString.copyFromUtf8(text()));
          case ENUM -> b.setField(f, f.getEnumType().findValueByNumber(random.nextInt(2)));
          case SINT32 -> b.addRepeatedField(f, random.nextInt());
          case MESSAGE -> {
            for (int n = random.nextInt(3); n > 0; n--) {
              b.addRepeatedField(f, DynamicMessage.newBuilder(zone).setField(zone.findFieldByName("zone"), text()).build());
            }
          }
          default -> throw new IllegalStateException(f.getFullName());
        }
      }
      DynamicMessage m = b.build();
      print("protobuf", s.serialize("protobuf", m), JsonFormat.printer().omittingInsignificantWhitespace().print(m));
    }
  }
}
