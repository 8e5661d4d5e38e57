"""Tests of the project itself: its documents, its tools and what is deployed."""
