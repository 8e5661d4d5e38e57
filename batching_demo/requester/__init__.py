"""The workflow side of submitting: any workflow that has records to store uses it."""
