"""The schema: its revisions, and what keeps a migration from being run."""
