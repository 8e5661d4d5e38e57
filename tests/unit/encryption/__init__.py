"""Tests of the encryption."""
