"""`batching-demo batcher`: the worker, the starter and the operator's commands."""
