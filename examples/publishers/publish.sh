#!/bin/sh
# HITL_TOKEN=hitl_... ./publish.sh approve        (kcat: the packages kcat or kafkacat)
set -eu
: "${HITL_TOKEN:?}" "${HITL_KAFKA_BOOTSTRAP:?}" "${1:?the verdict}" # here: within a pipe it would end nothing
printf '{"token": "%s", "verdict": "%s"}' "$HITL_TOKEN" "$1" |
    kcat -P -q -b "$HITL_KAFKA_BOOTSTRAP" -t "${HITL_TOPIC_PREFIX:-hitl}.decisions" \
        -X acks=all -X enable.idempotence=true -X message.timeout.ms=10000 \
        -H content-type=application/json
