package journey.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** One customer's state: the stage, when it was entered, and the touchpoints of the last 90 days. */
final class Customer {
  static final int HELD_MAX = 2000;
  private static final int HEAD_BYTES = 1 + 8 + 8 + 2;
  private static final int TOUCHPOINT_BYTES = 8 + 8 + 2;

  byte stage = -1;
  long enteredAt;
  long lastAt;
  int held;
  long[] times;
  long[] ids;
  short[] meanings;

  Customer(int room) {
    times = new long[room];
    ids = new long[room];
    meanings = new short[room];
  }

  boolean holds(long id) {
    for (int i = held - 1; i >= 0; i--) {
      if (ids[i] == id) {
        return true;
      }
    }
    return false;
  }

  /** How many touchpoints with a meaning happened in (at - within, at]. */
  int count(int meaning, long at, long within) {
    int found = 0;
    for (int i = held - 1; i >= 0; i--) {
      if ((meanings[i] & meaning) != 0 && times[i] > at - within && times[i] <= at) {
        found++;
      }
    }
    return found;
  }

  /** When the last touchpoint with a meaning happened, or 0. */
  long last(int meaning) {
    long found = 0;
    for (int i = 0; i < held; i++) {
      if ((meanings[i] & meaning) != 0) {
        found = Math.max(found, times[i]);
      }
    }
    return found;
  }

  /** Appends a touchpoint and lets go of those older than `keep` ms. */
  void add(long at, long id, int meaning, long keep) {
    lastAt = Math.max(lastAt, at);
    int first = 0;
    while (first < held && (times[first] < lastAt - keep || held - first >= HELD_MAX)) {
      first++;
    }
    int left = held - first;
    if (left + 1 > times.length || first > 0) {
      int room = Math.max(times.length, left + 4);
      times = moved(times, new long[room], first, left);
      ids = moved(ids, new long[room], first, left);
      short[] others = new short[room];
      System.arraycopy(meanings, first, others, 0, left);
      meanings = others;
    }
    times[left] = at;
    ids[left] = id;
    meanings[left] = (short) meaning;
    held = left + 1;
  }

  private static long[] moved(long[] from, long[] to, int first, int count) {
    System.arraycopy(from, first, to, 0, count);
    return to;
  }

  static Serde<Customer> serde() {
    return Serdes.serdeFrom(new Write(), new Read());
  }

  private static final class Write implements Serializer<Customer> {
    @Override
    public byte[] serialize(String topic, Customer customer) {
      if (customer == null) {
        return null;
      }
      ByteBuffer out = ByteBuffer.allocate(HEAD_BYTES + customer.held * TOUCHPOINT_BYTES);
      out.put(customer.stage).putLong(customer.enteredAt).putLong(customer.lastAt);
      out.putShort((short) customer.held);
      for (int i = 0; i < customer.held; i++) {
        out.putLong(customer.times[i]).putLong(customer.ids[i]).putShort(customer.meanings[i]);
      }
      return out.array();
    }
  }

  private static final class Read implements Deserializer<Customer> {
    @Override
    public Customer deserialize(String topic, byte[] bytes) {
      if (bytes == null) {
        return null;
      }
      ByteBuffer in = ByteBuffer.wrap(bytes);
      byte stage = in.get();
      long enteredAt = in.getLong();
      long lastAt = in.getLong();
      int held = in.getShort();
      Customer customer = new Customer(held + 4);
      customer.stage = stage;
      customer.enteredAt = enteredAt;
      customer.lastAt = lastAt;
      customer.held = held;
      for (int i = 0; i < held; i++) {
        customer.times[i] = in.getLong();
        customer.ids[i] = in.getLong();
        customer.meanings[i] = in.getShort();
      }
      return customer;
    }
  }
}
