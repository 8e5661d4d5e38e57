"""What people would pick instead, run beside our write paths."""
