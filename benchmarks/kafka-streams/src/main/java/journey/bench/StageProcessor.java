package journey.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Touchpoint in, stage change out when the customer moves; a repeated event id changes nothing. */
final class StageProcessor implements Processor<byte[], byte[], byte[], byte[]> {
  private static final ObjectWriter WRITER = new ObjectMapper().writer();

  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<byte[], Customer> customers;

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    customers = context.getStateStore(JourneyApp.STORE);
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    Touchpoint touchpoint = Touchpoint.parse(record.value());
    if (touchpoint == null || record.key() == null) {
      return;
    }
    byte[] key = record.key();
    Customer customer = customers.get(key);
    if (customer == null) {
      customer = new Customer(4);
    }
    long id = touchpoint.eventHash();
    if (customer.holds(id)) {
      return;
    }
    long at = touchpoint.occurredAtMs();
    for (Stages.Move due = Stages.silence(customer, at); due != null; due = Stages.silence(customer, at)) {
      context.forward(record.withValue(moved(key, customer, touchpoint, due)));
    }
    int meaning = Stages.meaningOf(touchpoint);
    customer.add(at, id, meaning, Stages.KEEP);
    Stages.Move move = Stages.decide(customer, meaning, at);
    if (move != null) {
      context.forward(record.withValue(moved(key, customer, touchpoint, move)));
    }
    customers.put(key, customer);
  }

  /** Makes the move, and says so. */
  private static byte[] moved(byte[] key, Customer customer, Touchpoint touchpoint, Stages.Move move) {
    int before = customer.stage;
    Map<String, Object> change = new LinkedHashMap<>();
    change.put("change_id", Long.toHexString(touchpoint.eventHash() ^ move.to()));
    change.put("kind", "entered");
    change.put("profile_id", new String(key, StandardCharsets.UTF_8));
    change.put("from_stage", before < 0 ? null : Stages.IDS[before]);
    change.put("to_stage", Stages.IDS[move.to()]);
    change.put("entered_at", Instant.ofEpochMilli(move.at()).toString());
    change.put("seconds_in_previous", before < 0 ? null : (move.at() - customer.enteredAt) / 1000.0);
    change.put("cause", move.cause());
    change.put("because", Map.of("rule", move.rule(), "evidence", List.of(touchpoint.eventId())));
    customer.stage = (byte) move.to();
    customer.enteredAt = move.at();
    try {
      return WRITER.writeValueAsBytes(change);
    } catch (JsonProcessingException error) {
      throw new IllegalStateException(error);
    }
  }
}
