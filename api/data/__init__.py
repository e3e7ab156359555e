"""``weft.data``: input pipelines. In: arrays, generators; out: `Dataset`."""
