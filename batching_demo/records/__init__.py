"""What makes a text a record that can be stored; both services need it."""
