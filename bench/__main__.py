"""All benchmarks in their order, with one table of the targets at the end.

python -m bench [PART ...] [--rounds 5] [--quick] [--without-peers]
"""

from bench import as_of, candles, deals, history, lastrate, memory, poll, push, quotes, refresh, start, top
from bench.part import Part, parser_of, run_parts

PARTS: dict[str, Part] = {
    "lastrate": lastrate.measure,
    "quotes": quotes.measure,
    "top": top.measure,
    "refresh": refresh.measure,
    "push": push.measure,
    "poll": poll.measure,
    "history": history.measure,
    "as_of": as_of.measure,
    "candles": candles.measure,
    "deals": deals.measure,
    "memory": memory.measure,
    "start": start.measure,
}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; default: all of them"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    run_parts({name: PARTS[name] for name in arguments.parts or PARTS}, arguments)


if __name__ == "__main__":
    main()
