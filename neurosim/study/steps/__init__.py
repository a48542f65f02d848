"""The work of each kind of step: ``run(job)`` reads what came before and writes files into ``job.out``."""
