"""neurosim: trained networks, Brian2 circuits and recorded brains compared as representations, reproducibly."""
