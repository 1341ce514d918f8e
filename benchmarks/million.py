"""A million events through the whole pipeline on this machine, checked to the unit.

Run `python -m benchmarks.million`. It uses a home of its own, which it removes.
"""

import time

from benchmarks._workshop import workshop

HOURS, STORES, PRODUCTS = 7 * 24, 100, 60


def main() -> None:
    """Generate, wait, count, and show what conservation and the speed of each hop came to."""
    with workshop() as run:
        run("up")
        made = run("generate", "--hours", str(HOURS), "--stores", str(STORES), "--products", str(PRODUCTS))
        while (events := run("status")["events"])["unique"] < events["sent"]:
            time.sleep(1)
        conservation = run("query", "conservation")
        rate = made["events"] / made["milliseconds"] * 1000
        print(f"generated    {made['events']:>12,} ({rate:,.0f} a second)")
        print(f"sent         {events['sent']:>12,}")
        print(f"unique       {events['unique']:>12,}")
        print(f"delivered    {events['delivered']:>12,}")
        print(f"quarantined  {events['quarantined']:>12,}")
        print(f"violations of conservation: {conservation['rows'][0][0]} ({conservation['milliseconds']:,} ms)")


if __name__ == "__main__":
    main()
