"""A preview of the engine, in plain words for the person who reviews the change: what goes, what restarts, what it costs."""
