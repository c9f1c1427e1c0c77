"""The numbers of all comparisons of a study, added up and written for people and tools."""
