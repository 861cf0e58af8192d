package journey.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.util.Map;

/** The fields of a source record that the job reads. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Touchpoint(
    @JsonProperty("event_id") String eventId,
    @JsonProperty("occurred_at") String occurredAt,
    @JsonProperty("channel") String channel,
    @JsonProperty("type") String type,
    @JsonProperty("identifiers") Map<String, String> identifiers,
    @JsonProperty("properties") Map<String, Object> properties) {

  private static final ObjectReader READER = new ObjectMapper().readerFor(Touchpoint.class);

  /** Identifiers below the customer id, the one that identifies best first. */
  private static final String[] LOWER = {"loyalty_card", "email", "phone", "device_id", "anonymous_id"};

  static Touchpoint parse(byte[] json) {
    try {
      return READER.readValue(json);
    } catch (IOException error) {
      return null;
    }
  }

  /** The key to repartition by, the highest identifier, or null for a record that is not a valid touchpoint. */
  static byte[] ownerOf(byte[] json) {
    Touchpoint read = json == null ? null : parse(json);
    if (read == null || read.eventId == null || read.occurredAt == null || read.channel == null
        || read.type == null || read.identifiers == null) {
      return null;
    }
    String customer = read.identifiers.get("customer_id");
    if (customer != null) {
      return customer.getBytes(StandardCharsets.UTF_8);
    }
    for (String kind : LOWER) {
      String found = read.identifiers.get(kind);
      if (found != null) {
        return (kind + ':' + found).getBytes(StandardCharsets.UTF_8);
      }
    }
    return null;
  }

  long occurredAtMs() {
    return OffsetDateTime.parse(occurredAt).toInstant().toEpochMilli();
  }

  /** 64 bits that stand for the event id; much smaller in the state than the id itself. */
  long eventHash() {
    long hash = 0xcbf29ce484222325L;
    for (int i = 0; i < eventId.length(); i++) {
      hash = (hash ^ eventId.charAt(i)) * 0x100000001b3L;
    }
    return hash;
  }
}
