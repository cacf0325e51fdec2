// HITL_TOKEN=hitl_... go run . approve
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	value, _ := json.Marshal(map[string]string{"token": os.Getenv("HITL_TOKEN"), "verdict": os.Args[1]})
	topic := cmp.Or(os.Getenv("HITL_TOPIC_PREFIX"), "hitl") + ".decisions"
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("HITL_KAFKA_BOOTSTRAP"))) // acks=all, idempotent
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	within, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := client.ProduceSync(within, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
		log.Fatalf("not published: %v", err)
	}
}
