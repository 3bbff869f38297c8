import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serializer;
import org.json.JSONObject;

/**
 * Has Apicurio's own serializers write values that they are given, one a line of the input, and registers their schemas at the address that
 * it is given. Schemas take turns with each kind of id, before the data and in headers. Each line of its output has a value and its headers
 * in hexadecimal digits, and the kind of id, or the serializer's error.
 */
public class ApicurioSerialize {
  static final Map<String, Serializer<Object>> serializers = new HashMap<>();
  static final Map<String, Object> schemas = new HashMap<>();
  static final ObjectMapper mapper = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JSONObject v = new JSONObject(line), out = new JSONObject();
      int n = Integer.parseInt(v.getString("name").replaceAll("\\D", ""));
      String id = n % 4 < 2 ? "globalId" : "contentId";
      RecordHeaders headers = new RecordHeaders();
      try {
        out.put("value", HexFormat.of().formatHex(serialize(args[0], v, id, n % 2 == 1, headers)));
        JSONObject all = new JSONObject();
        for (Header h : headers) {
          all.put(h.key(), HexFormat.of().formatHex(h.value()));
        }
        out.put("id", id).put("headers", all);
      } catch (Exception e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
          cause = cause.getCause();
        }
        out.put("error", cause.toString());
      }
      System.out.println(out);
    }
    System.out.flush();
    System.exit(0);
  }

  static byte[] serialize(String url, JSONObject v, String id, boolean inHeaders, RecordHeaders headers) throws Exception {
    String format = v.getString("format"), name = v.getString("name");
    byte[] value = HexFormat.of().parseHex(v.getString("value"));
    Map<String, Object> config = new HashMap<>();
    config.put("apicurio.registry.url", url);
    config.put("apicurio.registry.use-id", id);
    config.put("apicurio.registry.headers.enabled", inHeaders);
    config.put("apicurio.registry.auto-register", true);
    config.put("apicurio.registry.serde.validation-enabled", false); // it knows no nested messages of Protobuf
    Object data;
    switch (format) {
      case "avro" -> {
        Schema schema = (Schema) schemas.computeIfAbsent(name, n -> new Schema.Parser().parse(v.getString("schema")));
        data = new GenericDatumReader<>(schema).read(null, DecoderFactory.get().binaryDecoder(value, null));
      }
      case "json-schema" -> {
        if (schemas.put(name, name) == null) {
          register(url, name, v.getString("schema"));
        }
        config.put("apicurio.registry.auto-register", false);
        config.put("apicurio.registry.find-latest", true);
        config.put("apicurio.registry.artifact.artifact-id", name);
        format = name; // each has a serializer of its own
        data = mapper.readTree(value);
      }
      default -> {
        if (!schemas.containsKey(name)) {
          schemas.put(name, file(v.getString("schema")));
        }
        data = DynamicMessage.parseFrom(message((FileDescriptor) schemas.get(name), v.getString("message")), value);
      }
    }
    return serializers.computeIfAbsent(format + id + inHeaders, k -> {
      Serializer<?> s = data instanceof JsonNode ? new JsonSchemaKafkaSerializer<JsonNode>()
          : data instanceof DynamicMessage ? new ProtobufKafkaSerializer<DynamicMessage>() : new AvroKafkaSerializer<Object>();
      s.configure(config, false);
      @SuppressWarnings("unchecked")
      Serializer<Object> any = (Serializer<Object>) s;
      return any;
    }).serialize(name, headers, data);
  }

  static void register(String url, String artifact, String text) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/groups/default/artifacts?ifExists=RETURN_OR_UPDATE"))
        .header("X-Registry-ArtifactId", artifact).header("X-Registry-ArtifactType", "JSON").header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(text)).build();
    var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IllegalStateException(response.body());
    }
  }

  /** The last file of a set, in which each comes after those that it imports. */
  static FileDescriptor file(String set) throws Exception {
    Map<String, FileDescriptor> built = new HashMap<>();
    FileDescriptor last = null;
    for (FileDescriptorProto f : FileDescriptorSet.parseFrom(Base64.getDecoder().decode(set)).getFileList()) {
      last = FileDescriptor.buildFrom(f, f.getDependencyList().stream().map(built::get).toArray(FileDescriptor[]::new));
      built.put(f.getName(), last);
    }
    return last;
  }

  static Descriptor message(FileDescriptor file, String name) {
    Descriptor found = null;
    for (String part : name.substring(file.getPackage().length() + 1).split("\\.")) {
      found = found == null ? file.findMessageTypeByName(part) : found.findNestedTypeByName(part);
    }
    return found;
  }
}
