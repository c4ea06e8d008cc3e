"""A process that holds a lease, and does what it is told on standard input, one word a line."""

import sys

from milepost.errors import MilepostError
from milepost.jobs.state import Record, State
from milepost.wiring.open import open_store


def main(url, job, ttl):
    store = open_store(url, create=True)
    lease = store.acquire(job, holder="holder:1", ttl=float(ttl))
    print("held", flush=True)
    transaction = None
    for word in map(str.strip, sys.stdin):
        try:
            if word == "begin":
                transaction = store.transaction(lease)
                transaction.__enter__()
            store.put(lease, Record(path=word, state=State.STARTED, attempt=1))
            print("written", flush=True)
        except MilepostError as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
