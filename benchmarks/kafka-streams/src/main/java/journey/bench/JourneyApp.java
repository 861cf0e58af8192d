package journey.bench;

import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.Stores;

/** Stage attribution on Kafka Streams: exactly once, RocksDB, repartitioned by customer unless told otherwise. */
public final class JourneyApp {
  static final String STORE = "customers";

  private JourneyApp() {}

  public static void main(String[] args) throws InterruptedException {
    Map<String, String> options = options(args);
    Topology topology = topology(options);
    KafkaStreams streams = new KafkaStreams(topology, properties(options));
    CountDownLatch stopped = new CountDownLatch(1);
    streams.setStateListener((now, before) -> {
      System.out.println("state " + now);
      if (now == KafkaStreams.State.ERROR || now == KafkaStreams.State.NOT_RUNNING) {
        stopped.countDown();
      }
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(30))));
    streams.start();
    stopped.await();
    if (streams.state() == KafkaStreams.State.ERROR) {
      System.exit(1);
    }
  }

  static Topology topology(Map<String, String> options) {
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(STORE), Serdes.ByteArray(), Customer.serde())
        .withCachingEnabled()
        .withLoggingEnabled(Map.of()));
    List<String> sources = Arrays.asList(options.get("sources").split(","));
    KStream<byte[], byte[]> touchpoints =
        builder.stream(sources, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()));
    if (!options.containsKey("no-repartition")) {
      touchpoints = touchpoints
          .selectKey((key, value) -> Touchpoint.ownerOf(value))
          .filter((key, value) -> key != null)
          .repartition(Repartitioned.with(Serdes.ByteArray(), Serdes.ByteArray())
              .withName("by-customer")
              .withNumberOfPartitions(Integer.parseInt(options.get("partitions"))));
    }
    touchpoints
        .process(StageProcessor::new, STORE)
        .to(options.get("output"), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    return builder.build();
  }

  private static Properties properties(Map<String, String> options) {
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("application-id"));
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap"));
    properties.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state-dir"));
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.getOrDefault("threads", "2"));
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    for (Map.Entry<String, String> option : options.entrySet()) {
      if (option.getKey().startsWith("set.")) {
        properties.put(option.getKey().substring("set.".length()), option.getValue());
      }
    }
    return properties;
  }

  /** `--name value`, `--name` alone, and `--set.some.kafka.property value`. */
  private static Map<String, String> options(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i < args.length; i++) {
      String name = args[i].substring(2);
      boolean alone = i + 1 == args.length || args[i + 1].startsWith("--");
      options.put(name, alone ? "true" : args[++i]);
    }
    return options;
  }
}
