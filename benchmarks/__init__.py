"""Speed, latency and memory of journey-stream, and of other systems at the same job."""
