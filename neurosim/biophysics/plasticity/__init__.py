"""The plasticity rules, one file each: traces, and how weights change by them."""
