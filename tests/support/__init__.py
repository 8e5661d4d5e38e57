"""What tests share, a module a subject; no test module imports another."""
