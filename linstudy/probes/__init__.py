"""The measurements that a study can make on the checkpoints of a training."""
