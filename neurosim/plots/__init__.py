"""Arrays in, matplotlib Axes out: stimuli, rasters, RDMs, model comparison, maps, MDS."""
