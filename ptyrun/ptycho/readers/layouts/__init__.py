"""Who lays arrays out in which way? One reader a module, chosen by what is in the file."""
