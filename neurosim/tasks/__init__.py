"""What a network learns: labelled batches, seeded by (task, seed, epoch)."""
