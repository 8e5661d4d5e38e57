"""The retry of a dead letter: a workflow, its activities, and the record made again."""
