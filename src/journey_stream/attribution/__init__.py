"""Which touchpoints deserve the credit for a conversion: pure, no I/O, no clock."""
