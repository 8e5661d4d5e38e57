"""What a process does around a command: its standard streams, and how it ends."""
