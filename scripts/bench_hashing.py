"""One query among a million: the 100 nearest by packed codes, beside a scan of the documents by cosine.

    python scripts/bench_hashing.py                       # 1,000,000 documents of about 50 words, 64 bits
    python scripts/bench_hashing.py --bits 32 --rows 200000

Both sides run in this process, in turns, and use one thread; the medians over the turns are printed, and the median of
the ratios turn by turn. The cosine scan multiplies sparse TF-IDF rows, already of length 1, with the query and takes
the largest by a partial sort. The codes are compared by exclusive-or and population count; how many rows lie within
each distance then says where to stop. Of other codes, of 20 bits, the ball of radius 2 around a query is looked up by
address. Words are drawn with the frequencies of Zipf's law, codes at random: speed does not depend on what they say.
"""

import argparse
import statistics
import time

import numpy as np
from scipy.sparse import csr_array

from aejax.metrics import hamming
from aejax.runs.workdir import environment

WORDS, FEATURES, RETRIEVED = 50, 2000, 100


def documents(random, rows):
    chance = 1 / (1 + np.arange(FEATURES))
    columns = random.choice(FEATURES, size=(rows, WORDS), p=chance / chance.sum()).astype(np.int32)
    values = random.random((rows, WORDS), np.float32) + 0.1
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    ends = np.arange(0, rows * WORDS + 1, WORDS, dtype=np.int32)
    return csr_array((values.ravel(), columns.ravel(), ends), shape=(rows, FEATURES))


def by_cosine(rows, query):
    found = rows @ query
    return np.argpartition(-found, RETRIEVED)[:RETRIEVED]


def timed(work, *arguments):
    started = time.perf_counter()
    work(*arguments)
    return 1e3 * (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--turns", type=int, default=30)
    given = parser.parse_args()
    random = np.random.default_rng(0)
    rows = documents(random, given.rows)
    codes = hamming.pack(random.random((given.rows, given.bits), np.float32) < 0.5)
    table = hamming.table(random.random((given.rows, 20), np.float32) < 0.5)
    seconds = {"cosine scan": [], "codes": [], "look-up, 20 bits": []}
    for _ in range(given.turns + 1):
        place = int(random.integers(given.rows))
        query = rows[[place]].toarray()[0]
        seconds["cosine scan"].append(timed(by_cosine, rows, query))
        seconds["codes"].append(timed(hamming.nearest, codes[place], codes, RETRIEVED))
        address = np.array([random.integers(2**20)])
        seconds["look-up, 20 bits"].append(timed(lambda a: list(hamming.balls(table, a, 2)), address))
    seconds = {name: values[1:] for name, values in seconds.items()}  # the first turn fills caches
    cpu = environment()["processor"]
    print(f"{given.rows:,} rows, {given.bits} bits, {given.turns} turns, numpy {np.__version__}, {cpu}")
    for name, values in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(seconds["cosine scan"], values, strict=True))
        print(f"{name:18} {statistics.median(values):9.3f} ms a query, {ratio:8.1f} times as fast as the cosine scan")


if __name__ == "__main__":
    main()
