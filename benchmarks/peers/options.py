"""What every peer is told on its command line."""

import argparse


def parse(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--application-id", required=True)
    parser.add_argument("--sources", required=True, type=lambda text: text.split(","))
    parser.add_argument("--output", required=True)
    parser.add_argument("--partitions", required=True, type=int)
    parser.add_argument("--state-dir", required=True)
    parser.add_argument("--instance", type=int, default=0, help="tells the processes of one application apart")
    return parser.parse_args()
