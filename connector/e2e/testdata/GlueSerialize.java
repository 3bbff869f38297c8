import com.amazonaws.services.schemaregistry.serializers.GlueSchemaRegistryKafkaSerializer;
import com.amazonaws.services.schemaregistry.serializers.json.JsonDataWithSchema;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.DecoderFactory;
import org.json.JSONObject;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;

/**
 * Has AWS's own serializer write values that it is given, one a line of its input, and registers their schemas at the address that it is
 * given. Every other schema's values are compressed. Each line of its output has a value in hexadecimal digits, or the serializer's error.
 */
public class GlueSerialize {
  static final Map<String, GlueSchemaRegistryKafkaSerializer> serializers = new HashMap<>();
  static final Map<String, Object> schemas = new HashMap<>();

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JSONObject v = new JSONObject(line), out = new JSONObject();
      try {
        out.put("value", HexFormat.of().formatHex(serialize(args[0], v)));
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
    System.exit(0); // the clients' threads would keep it for a minute
  }

  static byte[] serialize(String endpoint, JSONObject v) throws Exception {
    String format = v.getString("format"), name = v.getString("name");
    byte[] value = HexFormat.of().parseHex(v.getString("value"));
    Object data = switch (format) {
      case "avro" -> {
        Schema schema = (Schema) schemas.computeIfAbsent(name, n -> new Schema.Parser().parse(v.getString("schema")));
        yield new GenericDatumReader<>(schema).read(null, DecoderFactory.get().binaryDecoder(value, null));
      }
      case "json-schema" -> JsonDataWithSchema.builder(v.getString("schema"), new String(value, StandardCharsets.UTF_8)).build();
      default -> {
        if (!schemas.containsKey(name)) {
          schemas.put(name, file(v.getString("schema")));
        }
        yield DynamicMessage.parseFrom(message((FileDescriptor) schemas.get(name), v.getString("message")), value);
      }
    };
    String compression = name.matches(".*[02468]") ? "NONE" : "ZLIB";
    return serializers.computeIfAbsent(format + compression, k -> serializer(endpoint, format, compression)).serialize(name, data);
  }

  static GlueSchemaRegistryKafkaSerializer serializer(String endpoint, String format, String compression) {
    Map<String, Object> config = new HashMap<>();
    config.put("endpoint", endpoint);
    config.put("region", "us-east-1");
    config.put("dataFormat", format.equals("json-schema") ? "JSON" : format.toUpperCase());
    config.put("compression", compression);
    config.put("schemaAutoRegistrationEnabled", true);
    config.put("compatibility", "NONE");
    config.put("avroRecordType", "GENERIC_RECORD");
    GlueSchemaRegistryKafkaSerializer s = new GlueSchemaRegistryKafkaSerializer(DefaultCredentialsProvider.create(), config);
    s.configure(config, false);
    return s;
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
