"""The engine of a study: steps keyed by content, run once, kept, checked. It knows no kind of subject or analysis."""
