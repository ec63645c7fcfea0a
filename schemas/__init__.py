"""The wire contract: event types, Avro schemas, codec, topic registry."""
