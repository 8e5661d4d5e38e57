"""Streams of a server that speaks the protocol of Redis, such as Valkey."""
