"""Write the records of clients that have no workflow."""
