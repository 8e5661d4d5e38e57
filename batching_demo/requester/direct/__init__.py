"""What the client without a workflow needs beside the records."""
