"""The state machine of one log partition. Start at `partition.Partition`."""
