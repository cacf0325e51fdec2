// HITL_TOKEN=hitl_... java -cp 'libs/*' Publish.java approve        (org.apache.kafka:kafka-clients in libs)
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

class Publish {
    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", System.getenv("HITL_KAFKA_BOOTSTRAP"),
            "acks", "all", "enable.idempotence", true, "max.block.ms", 10000, "delivery.timeout.ms", 10000,
            "request.timeout.ms", 5000);
        String topic = System.getenv().getOrDefault("HITL_TOPIC_PREFIX", "hitl") + ".decisions";
        String token = Objects.requireNonNull(System.getenv("HITL_TOKEN"), "HITL_TOKEN");
        String value = "{\"token\": \"%s\", \"verdict\": \"%s\"}".formatted(token, args[0]); // words: nothing to escape
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>(topic, value)).get();
        }
    }
}
