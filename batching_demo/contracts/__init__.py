"""All that the two services share; every other package may import it."""
