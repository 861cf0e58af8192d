// A subscriber in Java: acts on what holds, takes back what does not.
//
//   java -cp 'libs/*' StageChangeSubscriber.java localhost:9092 [TOPIC]
//
// `libs` holds org.apache.kafka:kafka-clients and com.fasterxml.jackson.core:jackson-databind with what they need.
//
// At least once: the position is committed after the reactions, so after a crash the last messages come again. Per
// change_id the highest revision wins: a change may be entered, retracted and entered again, so a subscriber that
// dropped every change_id it has seen would be wrong. Keep the two maps in your database to survive a crash.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class StageChangeSubscriber {
  private final Map<String, Long> revisions = new HashMap<>();
  private final Set<String> actedOn = new HashSet<>();

  public static void main(String[] arguments) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("group.id", "java-subscriber");
    settings.put("isolation.level", "read_committed"); // or you see what a crashed worker never finished
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");

    ObjectMapper json = new ObjectMapper();
    StageChangeSubscriber subscriber = new StageChangeSubscriber();
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(arguments.length > 1 ? arguments[1] : "journey.stage-changes"));
      while (true) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          if (record.value() != null) { // null: erased, so forget what you keep on record.key()
            subscriber.receive(json.readTree(record.value()));
          }
        }
        consumer.commitSync();
      }
    }
  }

  void receive(JsonNode change) {
    String id = change.get("change_id").asText();
    long revision = change.get("revision").asLong();
    if (revision <= revisions.getOrDefault(id, 0L)) {
      return; // a repeat
    }
    boolean entered = change.get("kind").asText().equals("entered");
    if (entered && change.get("current").asBoolean() && actedOn.add(id)) {
      act(change);
    } else if (!entered && actedOn.remove(id)) {
      undo(change);
    }
    revisions.put(id, revision);
  }

  void act(JsonNode change) {
    System.out.printf(
        "%s is in %s: %s%n",
        change.get("profile_id").asText(),
        change.get("to_stage").asText(),
        change.get("because").get("text").asText());
  }

  void undo(JsonNode change) {
    System.out.printf(
        "%s was not in %s after all%n", change.get("profile_id").asText(), change.get("to_stage").asText());
  }
}
