"""Inject faults at random moments under load, recover, and check what is stored."""
