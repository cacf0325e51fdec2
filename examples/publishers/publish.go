// HITL_TOKEN=hitl_... go run . approve
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	token, brokers := os.Getenv("HITL_TOKEN"), strings.Split(os.Getenv("HITL_KAFKA_BOOTSTRAP"), ",")
	if token == "" || len(os.Args) != 2 {
		log.Fatal("expected HITL_TOKEN and a verdict")
	}
	value, _ := json.Marshal(map[string]string{"token": token, "verdict": os.Args[1]})
	topic := cmp.Or(os.Getenv("HITL_TOPIC_PREFIX"), "hitl") + ".decisions"
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...)) // acks=all, idempotent
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
