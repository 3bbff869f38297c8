import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Label;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Type;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serializer;
import org.json.JSONObject;

/**
 * Writes values with Apicurio's own serializers, in each format, with each kind of id, before the data and in headers, and
 * registers their schemas at the address that it is given. Each line of its output has a value and its headers in
 * hexadecimal digits, and what it is as JSON.
 */
public class ApicurioValues {
  static final Random random = new Random(1);
  static final List<String> ids = List.of("globalId", "contentId");

  public static void main(String[] args) throws Exception {
    String url = args[0];
    int values = Integer.parseInt(args[1]);
    // The same text a second time has another globalId and the same contentId: neither is the other.
    for (String artifact : List.of("json-first", "json-value")) {
      register(url, artifact, "JSON", "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}");
    }
    for (String id : ids) {
      for (boolean headers : new boolean[] {false, true}) {
        avro(url, id, headers, values);
        json(url, id, headers, values);
        protobuf(url, id, headers, values);
      }
    }
    System.out.flush();
    System.exit(0);
  }

  static void register(String url, String artifact, String type, String text) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/groups/default/artifacts?ifExists=RETURN_OR_UPDATE"))
        .header("X-Registry-ArtifactId", artifact).header("X-Registry-ArtifactType", type).header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(text)).build();
    var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IllegalStateException(response.body());
    }
  }

  static Map<String, Object> config(String url, String id, boolean headers) {
    Map<String, Object> config = new HashMap<>();
    config.put("apicurio.registry.url", url);
    config.put("apicurio.registry.use-id", id);
    config.put("apicurio.registry.headers.enabled", headers);
    config.put("apicurio.registry.auto-register", true);
    return config;
  }

  static <T> void print(Serializer<T> serializer, String format, String id, T value, String want) {
    RecordHeaders headers = new RecordHeaders();
    byte[] bytes = serializer.serialize(format, headers, value);
    JSONObject all = new JSONObject();
    for (Header h : headers) {
      all.put(h.key(), HexFormat.of().formatHex(h.value()));
    }
    System.out.println(new JSONObject().put("format", format).put("id", id).put("value", HexFormat.of().formatHex(bytes)).put("headers", all).put("want", want));
  }

  static String text() {
    StringBuilder b = new StringBuilder();
    for (int n = random.nextInt(40); n > 0; n--) {
      b.append((char) ('a' + random.nextInt(26)));
    }
    return b.toString();
  }

  static void avro(String url, String id, boolean headers, int values) {
    Schema schema = new Schema.Parser().parse(
        "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"long\"},{\"name\":\"note\",\"type\":[\"null\",\"string\"]}]}");
    AvroKafkaSerializer<GenericRecord> s = new AvroKafkaSerializer<>();
    s.configure(config(url, id, headers), false);
    for (int i = 0; i < values; i++) {
      GenericRecord r = new GenericData.Record(schema);
      String name = text(), note = random.nextBoolean() ? text() : null;
      long n = random.nextLong();
      r.put("id", name);
      r.put("n", n);
      r.put("note", note);
      print(s, "avro", id, r, new JSONObject().put("id", name).put("n", n).put("note", note == null ? JSONObject.NULL : note).toString());
    }
  }

  static void json(String url, String id, boolean headers, int values) {
    Map<String, Object> config = config(url, id, headers);
    config.put("apicurio.registry.auto-register", false);
    config.put("apicurio.registry.find-latest", true);
    config.put("apicurio.registry.artifact.artifact-id", "json-value");
    config.put("apicurio.registry.serde.validation-enabled", false);
    JsonSchemaKafkaSerializer<Map<String, Object>> s = new JsonSchemaKafkaSerializer<>();
    s.configure(config, false);
    for (int i = 0; i < values; i++) {
      Map<String, Object> value = Map.of("n", random.nextInt(), "s", text());
      print(s, "json-schema", id, value, new JSONObject(value).toString());
    }
  }

  static FieldDescriptorProto.Builder field(String name, int number, Type type) {
    return FieldDescriptorProto.newBuilder().setName(name).setNumber(number).setType(type).setLabel(Label.LABEL_OPTIONAL);
  }

  static void protobuf(String url, String id, boolean headers, int values) throws Exception {
    FileDescriptor file = FileDescriptor.buildFrom(
        FileDescriptorProto.newBuilder().setName("shop.proto").setPackage("shop").setSyntax("proto3")
            .addMessageType(DescriptorProto.newBuilder().setName("Order").addField(field("order_id", 1, Type.TYPE_STRING)).addField(field("cents", 2, Type.TYPE_INT64)))
            .addMessageType(DescriptorProto.newBuilder().setName("Customer").addField(field("name", 1, Type.TYPE_STRING))).build(),
        new FileDescriptor[0]);
    ProtobufKafkaSerializer<DynamicMessage> s = new ProtobufKafkaSerializer<>();
    s.configure(config(url, id, headers), false);
    for (int i = 0; i < values; i++) {
      Descriptor type = file.getMessageTypes().get(random.nextInt(2));
      DynamicMessage.Builder b = DynamicMessage.newBuilder(type);
      b.setField(type.findFieldByNumber(1), text());
      if (type.getFields().size() > 1) {
        b.setField(type.findFieldByNumber(2), random.nextLong());
      }
      DynamicMessage m = b.build();
      print(s, "protobuf", id, m, JsonFormat.printer().omittingInsignificantWhitespace().print(m));
    }
  }
}
